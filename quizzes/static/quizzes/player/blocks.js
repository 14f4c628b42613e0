// Texts of a quiz as elements. The server has read their Markdown; no HTML is ever parsed here.

const INLINE = { strong: "strong", em: "em" };

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function inline(node) {
  if (node.type === "text") return document.createTextNode(node.text);
  if (node.type === "break") return document.createElement("br");
  const children = node.children.map(inline);
  if (INLINE[node.type]) return element(INLINE[node.type], {}, ...children);
  if (node.type === "link" && node.href.startsWith("https://")) return element("a", { href: node.href, target: "_blank", rel: "noopener noreferrer" }, ...children);
  return element("span", {}, ...children);
}

// Return the elements of a tree of blocks.
export function elements(tree) {
  return tree.map((block) => {
    if (block.type === "list") {
      const items = block.items.map((item) => element("li", {}, ...item.map(inline)));
      return element(block.ordered ? "ol" : "ul", {}, ...items);
    }
    const name = block.type === "heading" ? `h${block.level}` : "p";
    return element(name, {}, ...block.children.map(inline));
  });
}
