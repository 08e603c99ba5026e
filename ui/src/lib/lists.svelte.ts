// The list that j and k move in: the one with the focus, else the screen's first.
export interface MovableList {
  move(steps: number): void;
  focus(): void;
}

class Lists {
  #main: MovableList | null = null;
  #focused: MovableList | null = null;

  /** Makes a list the one that keys reach when none has the focus. */
  main(list: MovableList): () => void {
    this.#main = list;
    return () => {
      if (this.#main === list) this.#main = null;
    };
  }

  enter(list: MovableList): void {
    this.#focused = list;
  }

  leave(list: MovableList): void {
    if (this.#focused === list) this.#focused = null;
  }

  get current(): MovableList | null {
    return this.#focused ?? this.#main;
  }

  get mainList(): MovableList | null {
    return this.#main;
  }
}

export const lists = new Lists();
