// The list of purchases: keys for its rows, and suggestions for the customer's filter.
import "./rows.js";
import { suggestCustomers } from "./suggest.js";

const customer = document.querySelector("input[list=customers]");
if (customer) suggestCustomers(customer);
