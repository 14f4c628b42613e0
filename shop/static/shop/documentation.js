// Swagger UI, loaded when the reader comes to it, because it weighs more than the rest of the site.
import { t } from "../js/texts.js";

const target = document.getElementById("swagger-ui");
const wait = document.getElementById("swagger-wait");
let swagger;

// Send what is tried out as the API wants it.
function prepare(request) {
  const given = request.headers.Authorization;
  if (given) {
    // A user may paste "Token abc" into the field for the token.
    request.headers.Authorization = given.replace(/^Bearer\s+(?=(Token|Bearer)\s)/i, "");
  } else if (target.dataset.csrf && !["GET", "HEAD", "OPTIONS"].includes(request.method)) {
    request.headers["X-CSRFToken"] = target.dataset.csrf;
  }
  return request;
}

// The introduction is long, so it is closed until the reader opens it.
const Introduction = (Original, system) => (props) => {
  const { createElement } = system.React;
  const title = createElement("summary", null, target.dataset.introduction);
  return createElement("details", { className: "introduction" }, title, createElement(Original, props));
};

// A link inside a button is none for a keyboard, so the path of a route is text.
const PlainPath = (Original, system) => (props) => system.React.createElement("span", null, props.text);

// Swagger UI's own layout claims to be the main part of a page, and asks which of one server is meant.
const layout = (system) => (props) => {
  const { createElement } = system.React;
  const part = (name) => createElement(props.getComponent(name, true), { key: name });
  const inside = ["SvgAssets", "errors"];
  if (props.specSelectors.loadingStatus() === "success") inside.push("InfoContainer", "AuthorizeBtnContainer", "operations", "Models");
  return createElement("div", { className: "swagger-ui" }, inside.map(part));
};

function arrived(element) {
  return new Promise((done, failed) => {
    element.addEventListener("load", done);
    element.addEventListener("error", failed);
    document.head.append(element);
  });
}

async function load() {
  wait.hidden = false;
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: target.dataset.style });
  const script = Object.assign(document.createElement("script"), { src: target.dataset.script });
  await Promise.all([arrived(style), arrived(script)]);
  return new Promise((done) => {
    const system = globalThis.SwaggerUIBundle({
      url: target.dataset.schema,
      domNode: target,
      deepLinking: true,
      docExpansion: "list",
      defaultModelsExpandDepth: 0,
      validatorUrl: null,
      requestInterceptor: prepare,
      layout: "ShopLayout",
      plugins: [(own) => ({ components: { ShopLayout: layout(own) }, wrapComponents: { info: Introduction, DeepLink: PlainPath } })],
      onComplete: () => {
        target.removeAttribute("aria-busy");
        done(system);
      },
    });
  });
}

function start() {
  swagger ??= load().catch(() => {
    swagger = undefined;
    wait.textContent = t("The playground could not be loaded. Choose a route to try again.");
  });
  return swagger;
}

// Swagger UI reads the address only once, so later choices are told to it.
addEventListener("hashchange", async () => {
  if (location.hash.startsWith("#/")) (await start())?.layoutActions.parseDeepLinkHash(decodeURIComponent(location.hash));
});

// Swagger UI has its own dark colours, which hang on a class.
const dark = matchMedia("(prefers-color-scheme: dark)");
function follow() {
  const chosen = document.documentElement.dataset.theme;
  document.documentElement.classList.toggle("dark-mode", chosen ? chosen === "dark" : dark.matches);
}
follow();
dark.addEventListener("change", follow);
new MutationObserver(follow).observe(document.documentElement, { attributeFilter: ["data-theme"] });

// Swagger UI gives some of its choices no name.
new MutationObserver(() => {
  for (const each of target.querySelectorAll("select:not([aria-label], [id])")) each.setAttribute("aria-label", "Example");
}).observe(target, { childList: true, subtree: true });

if (location.hash.startsWith("#/")) start();
else new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && start()).observe(target);
