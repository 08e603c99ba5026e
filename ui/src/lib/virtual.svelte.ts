// A small adapter: TanStack's virtualizer for Svelte's runes. The published wrapper renders nothing under Svelte 5 at first.
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer, type VirtualItem } from "@tanstack/virtual-core";
import { untrack } from "svelte";

export interface RowsToDraw {
  count: number;
  /** Pixels of a row that was not measured yet. */
  estimate: (index: number) => number;
  key: (index: number) => string | number;
}

export class VirtualRows {
  drawn = $state.raw<readonly VirtualItem[]>([]);
  height = $state(0);
  #virtualizer: Virtualizer<HTMLElement, HTMLElement>;

  constructor(rows: () => RowsToDraw, element: () => HTMLElement | null) {
    const options = (given: RowsToDraw, scroller: HTMLElement | null) => ({
      count: given.count,
      getScrollElement: () => scroller,
      estimateSize: given.estimate,
      getItemKey: given.key,
      overscan: 12,
      scrollToFn: elementScroll<HTMLElement>,
      observeElementRect: observeElementRect<HTMLElement>,
      observeElementOffset: observeElementOffset<HTMLElement>,
      onChange: () => this.#draw(),
    });
    this.#virtualizer = new Virtualizer(options({ count: 0, estimate: () => 28, key: (index) => index }, null));
    $effect(() => untrack(() => this.#virtualizer._didMount()));
    $effect(() => {
      const given = rows();
      const scroller = element();
      untrack(() => {
        this.#virtualizer.setOptions(options(given, scroller));
        this.#virtualizer._willUpdate();
        this.#draw();
      });
    });
  }

  #draw(): void {
    this.drawn = this.#virtualizer.getVirtualItems();
    this.height = this.#virtualizer.getTotalSize();
  }

  /** Pixels from the top to the first drawn row. */
  get offset(): number {
    return this.drawn[0]?.start ?? 0;
  }

  /** For each row's element: follows its height. */
  measure = (element: HTMLElement): (() => void) => {
    this.#virtualizer.measureElement(element);
    return () => this.#virtualizer.measureElement(null);
  };

  scrollTo(index: number, align: "auto" | "start" | "center" | "end" = "auto"): void {
    this.#virtualizer.scrollToIndex(index, { align });
  }

  get atEnd(): boolean {
    const element = this.#virtualizer.scrollElement;
    return !element || element.scrollHeight - element.scrollTop - element.clientHeight < 24;
  }
}
