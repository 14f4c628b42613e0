// Reads the figures again every 15 seconds while somebody looks at them, and shows the feed.
import { keepFresh } from "../js/refreshed.js";
import { showFeed } from "../purchases/feed.js";

keepFresh(document.getElementById("figures"), 15_000);
if (document.getElementById("feed")) showFeed();
