// Reads the lines again every 3 seconds while somebody follows them.
import { keepFresh } from "../js/refreshed.js";

keepFresh(document.getElementById("lines"), 3_000);
