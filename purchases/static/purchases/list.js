// The list of purchases: what all rows do.
import "./rows.js";
