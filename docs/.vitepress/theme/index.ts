import type { Theme } from "vitepress";
import theme from "vitepress/theme";
import demo from "./demo.ts";
import "./style.css";

const withDemo: Theme = { extends: theme, enhanceApp: ({ app }) => void app.component("Demo", demo) };
export default withDemo;
