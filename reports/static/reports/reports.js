// Ask for the status of unfinished reports until they are finished.
const DONE = new Set(["sent", "failed"]);

async function refresh(row) {
  const response = await fetch(`/api/v1/reports/${row.dataset.id}/`);
  if (!response.ok) return;
  const report = await response.json();
  row.dataset.status = report.status;
  const status = row.querySelector(".status");
  status.textContent = report.status;
  if (report.error) {
    const reason = document.createElement("span");
    reason.className = "hint";
    reason.textContent = report.error;
    status.append(document.createElement("br"), reason);
  }
  if (report.pdf) {
    const link = document.createElement("a");
    link.href = report.pdf;
    link.textContent = "Download";
    row.querySelector(".pdf").replaceChildren(link);
  }
}

async function poll(wait) {
  const rows = [...document.querySelectorAll("#reports tbody tr")].filter((row) => !DONE.has(row.dataset.status));
  if (!rows.length) return;
  for (const row of rows) await refresh(row).catch(() => {});
  setTimeout(poll, wait, Math.min(wait * 1.3, 5000));
}

setTimeout(poll, 500, 1000);
