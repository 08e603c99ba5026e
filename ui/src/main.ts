import { mount } from "svelte";
import App from "./App.svelte";
import "./tokens.css";
import "./base.css";
import { findHost } from "./host";
import { whereabouts } from "./lib/place.svelte";
import { startTheme } from "./lib/theme.svelte";

startTheme();
const host = findHost();
// Only now does the address hold a place and no token.
whereabouts.open(window.location.hash);
const target = document.getElementById("app");
if (target) mount(App, { target, props: { host } });
