// Opens the window over a world of its own and watches it: no test passes with an error on the console.
import AxeBuilder from "@axe-core/playwright";
import { test as base, expect, type Page } from "@playwright/test";
import type { EngineEvent, Tag } from "../src/host/generated";

export { expect };
let opened = 0;

export class Window {
  readonly token: string;
  constructor(
    readonly page: Page,
    scenario: string,
  ) {
    opened += 1;
    this.token = `${scenario}.${process.pid}-${opened}-${Date.now()}`;
  }

  async open(place = ""): Promise<void> {
    await this.page.goto(`/#token=${this.token}${place ? `&place=${place}` : ""}`);
    await expect(this.page.getByRole("navigation", { name: "Screens" })).toBeVisible();
  }

  /** Makes the engine say something. */
  async emit(event: EngineEvent, invalidates: Tag[] = []): Promise<void> {
    await this.#tell("test_emit", { event, invalidates });
  }

  /** Makes the next call of a command fail. */
  async fail(command: string, message: string, kept = "Nothing was changed.", hint = "Try again."): Promise<void> {
    await this.#tell("test_fail", { command, message, kept, hint });
  }

  async #tell(name: string, body: unknown): Promise<void> {
    await this.page.request.post(`/api/${name}`, { data: body, headers: { authorization: `Bearer ${this.token}` } });
  }

  /** Every rule, or only those that colours can break. */
  async accessible(what: string, rules: "all" | "colours" = "all"): Promise<void> {
    const axe = new AxeBuilder({ page: this.page });
    if (rules === "colours") axe.withRules(["color-contrast"]);
    else axe.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]);
    const { violations } = await axe.analyze();
    const told = violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary ?? ""}`).join("\n  ")}`,
    );
    expect(told, what).toEqual([]);
  }
}

interface Given {
  /** Which made-up world: full, huge, fresh, empty, broken, slow. */
  scenario: string;
  /** Console errors a test brings about itself. */
  expectedErrors: RegExp | null;
  app: Window;
}

export const test = base.extend<Given>({
  scenario: ["full", { option: true }],
  expectedErrors: [null, { option: true }],
  app: async ({ page, scenario, expectedErrors }, use) => {
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" && !expectedErrors?.test(message.text())) errors.push(message.text());
    });
    await use(new Window(page, scenario));
    expect(errors, "errors on the console").toEqual([]);
  },
});
