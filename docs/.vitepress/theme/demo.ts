// The element <Demo /> of docs/demo/index.md: loads the script that `buildDemo` writes, and ends it with the page.
import { withBase } from "vitepress";
import { type Component, defineComponent, h, onBeforeUnmount, onMounted, ref } from "vue";

/** What the script exports. */
type Script = { readonly mount: (element: HTMLElement) => () => void };

const demo: Component = defineComponent({
  setup: () => {
    const place = ref<HTMLElement>();
    const text = ref("This part of the page needs JavaScript.");
    let close: (() => void) | null = null;
    let isLeft = false;
    onMounted(async () => {
      text.value = "Loading …";
      try {
        const { mount } = (await import(/* @vite-ignore */ withBase("/docs/demo/demo.js"))) as Script;
        if (!isLeft) close = mount(place.value!);
      } catch (error) {
        text.value = `The scripts of this page could not be loaded: ${String(error)}`;
      }
    });
    onBeforeUnmount(() => {
      isLeft = true;
      close?.();
    });
    return () => h("div", { class: "demo", ref: place }, [h("p", text.value)]);
  },
});
export default demo;
