// Ask how the unfinished reports stand, until they are finished. The words are in the page.
const DONE = new Set(["sent", "failed"]);
const SLOWEST_MS = 5000;
const news = document.getElementById("news");
const badge = (status) => document.querySelector(`template[data-status="${status}"]`)?.content.cloneNode(true);

function show(row, report) {
  if (row.dataset.status !== report.status) {
    row.dataset.status = report.status;
    const cell = row.querySelector(".status");
    cell.replaceChildren(badge(report.status) ?? report.status);
    news.textContent = `${row.querySelector(".lead").textContent.trim()}: ${cell.textContent.trim()}`;
  }
  row.querySelector(".reason").textContent = report.error;
  if (report.pdf && !row.querySelector(".file a")) {
    const link = document.getElementById("download").content.cloneNode(true);
    link.firstElementChild.href = report.pdf;
    row.querySelector(".file").replaceChildren(link);
  }
}

async function refresh(row) {
  const response = await fetch(`/api/v1/reports/${row.dataset.id}/`);
  if (response.ok) show(row, await response.json());
}

async function poll(wait) {
  const rows = [...document.querySelectorAll("#reports tbody tr")].filter((row) => !DONE.has(row.dataset.status));
  if (!rows.length) return;
  for (const row of document.hidden ? [] : rows) await refresh(row).catch(() => {});
  setTimeout(poll, wait, Math.min(wait * 1.3, SLOWEST_MS));
}

setTimeout(poll, 500, 1000);
