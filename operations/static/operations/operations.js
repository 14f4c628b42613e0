// Reads the operating figures again every 5 seconds while somebody looks at them.
import { keepFresh } from "../js/refreshed.js";

keepFresh(document.getElementById("figures"), 5_000);
