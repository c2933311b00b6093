// The pictures of the site: a light and a dark file of each.

/** The name of the dark file of a picture. */
export const darkName = (name: string): string => name.replace(/\.svg$/, ".dark.svg");

/** What VitePress shows for an image, with the attribute that the site's styles read. */
type Show = (source: string, theme: "light" | "dark" | null) => string;

/** Both files of a picture; the site's styles hide one of them. Any other image stays. */
export function bothPictures(source: string, show: Show): string {
  if (!/pictures\/[\w-]+\.svg$/.test(source)) return show(source, null);
  return show(source, "light") + show(darkName(source), "dark");
}
