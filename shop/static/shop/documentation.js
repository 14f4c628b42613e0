"use strict";
const target = document.getElementById("swagger-ui");

/* Send what is tried out as the API wants it. */
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

window.SwaggerUIBundle({
  url: target.dataset.schema,
  domNode: target,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  requestInterceptor: prepare,
});
