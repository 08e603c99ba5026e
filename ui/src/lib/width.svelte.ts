// Below 1100 px the gate folds into the change's header.
class WindowWidth {
  #query = window.matchMedia?.("(max-width: 1100px)");
  narrow = $state(this.#query?.matches ?? false);

  constructor() {
    this.#query?.addEventListener("change", ({ matches }) => (this.narrow = matches));
  }
}

export const windowWidth = new WindowWidth();
