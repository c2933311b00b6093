// VitePress builds for one base path. Here a built site becomes independent of its path: pages name files relative to
// themselves, and the scripts ask the page for the base.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** The base that VitePress builds for. It occurs nowhere else. */
export const PLACEHOLDER = "/__base__/";

/** Replaces the placeholder in all files of the site. */
export function makeRelative(folder: string): void {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => name.replaceAll("\\", "/"));
  for (const name of names) {
    const change = /\.html$/.test(name) ? inPage : /\.js$/.test(name) ? inScript : /\.css$/.test(name) ? inStyle : null;
    if (change === null) continue;
    const text = readFileSync(join(folder, name), "utf8");
    const up = "../".repeat(name.split("/").length - 1) || "./";
    if (text.includes(PLACEHOLDER)) writeFileSync(join(folder, name), change(text, up));
  }
}

/** Links relative to the page. A script makes them absolute, since VitePress shows other pages without loading them. */
function inPage(html: string, up: string): string {
  const before = `<script>window.__BASE__=new URL(${JSON.stringify(up)},location.href).pathname</script>`;
  const after = '<script>for(const a of document.querySelectorAll("a[href]"))a.setAttribute("href",a.href)</script>';
  return html.replaceAll(PLACEHOLDER, up).replace("<head>", `<head>${before}`).replace("</body>", `${after}</body>`);
}

const inStyle = (css: string, up: string): string => css.replaceAll(PLACEHOLDER, up);

/** Each string with the placeholder becomes an expression that inserts the base. */
function inScript(code: string): string {
  const file = ts.createSourceFile("site.js", code, ts.ScriptTarget.Latest, false, ts.ScriptKind.JS);
  const found: { readonly from: number; readonly to: number }[] = [];
  const visit = (node: ts.Node): void => {
    const isText = ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node) || ts.isTemplateExpression(node);
    const [from, to] = [node.getStart(file), node.end];
    if (isText && code.slice(from, to).includes(PLACEHOLDER)) found.push({ from, to });
    else ts.forEachChild(node, visit);
  };
  visit(file);
  return found.reduceRight(
    (text, { from, to }) =>
      `${text.slice(0, from)}(${text.slice(from, to)}).replaceAll(${JSON.stringify(PLACEHOLDER)},window.__BASE__)${text.slice(to)}`,
    code,
  );
}
