import { expect, test } from "./window";

const DATABASE = "module.orders_db.terraform_data.database";

test("begins at the first change that needs me, with its dangers on top and what blocks beside it", async ({ app, page }) => {
  await app.open();
  await expect(page.getByRole("heading", { name: "Grow the orders database" })).toBeVisible();
  const plan = page.getByRole("tree", { name: /^Plan/ });
  await expect(plan.getByRole("treeitem").first()).toContainText("Destroys and replacements");
  await expect(plan.getByRole("treeitem").nth(1)).toContainText(DATABASE);
  await expect(plan.getByRole("treeitem").nth(1)).toContainText('forces replacement triggers_replace.engine: "13.9" → "16.2"');
  const gate = page.getByRole("complementary", { name: "Gate" });
  await expect(gate).toContainText("Gate closed");
  await expect(gate).toContainText("1 of 2; needs 1 of security.");
  await expect(gate.getByRole("button", { name: /Merge/ })).toBeDisabled();
  await expect(gate).toContainText("The gate is closed: approvals 1 of 2.");
  expect(page.url()).not.toContain("token");
});

test("the whole of it by keyboard: move, read, tabs, unit, attributes, reveal", async ({ app, page }) => {
  await app.open();
  const heading = page.getByRole("article").getByRole("heading", { level: 2 });
  await expect(heading).toHaveText("Grow the orders database");
  await page.keyboard.press("j");
  await expect(heading).toHaveText("Roll image 42 out to the fleet");
  await page.keyboard.press("k");
  await expect(heading).toHaveText("Grow the orders database");
  await page.keyboard.press("]");
  await expect(page.getByRole("tab", { name: "Diff" })).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("]");
  await expect(page.getByRole("tab", { name: "History" })).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("]");
  await expect(page.getByRole("tab", { name: "Plan" })).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("[");
  await page.keyboard.press("1");
  const plan = page.getByRole("tree", { name: /^Plan/ });
  await page.keyboard.press("Enter");
  await expect(plan).toBeFocused();
  await page.keyboard.press("j");
  await page.keyboard.press("ArrowRight");
  await expect(plan.getByText("triggers_replace.engine", { exact: true })).toBeVisible();
  await expect(plan.getByText("forces replacement", { exact: true }).first()).toBeVisible();
  await expect(plan.getByText("(known after apply)").first()).toBeVisible();
  await expect(plan).not.toContainText("s3cr3t");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: /^Reveal the old value of input.password/ })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(plan).toContainText("canary-input.password-s3cr3t");
  await expect(plan).toContainText("Shown to you; recorded just now");
  await expect(plan.getByText("canary-input.password-s3cr3t")).toHaveCount(1);
  await plan.focus();
  await page.keyboard.press("ArrowLeft");
  await expect(plan.getByText("triggers_replace.engine", { exact: true })).toHaveCount(0);
  await page.keyboard.press("e");
  await expect(plan.getByRole("treeitem", { expanded: true }).filter({ hasText: "prod/orders-db" }).first()).toHaveAttribute(
    "aria-selected",
    "true",
  );
  await page.keyboard.press("Escape");
  await expect(page.getByRole("tree", { name: "Changes" })).toBeFocused();
  await page.keyboard.press("3");
  await expect(page.getByRole("listbox", { name: /History/ })).toContainText("Looked at input.password (before)");
});

test("filters the queue while typing and says why nothing is left", async ({ app, page }) => {
  await app.open();
  const changes = page.getByRole("tree", { name: "Changes" });
  await expect(changes.getByRole("treeitem", { level: 2 })).toHaveCount(7);
  await page.keyboard.press("/");
  await page.keyboard.type("web");
  await expect(changes.getByRole("treeitem", { level: 2 })).toHaveCount(2);
  await page.keyboard.type(" nothing like it");
  await expect(page.getByText("No change has these words")).toBeVisible();
  await page.getByRole("button", { name: "Clear the filter" }).click();
  await expect(changes.getByRole("treeitem", { level: 2 })).toHaveCount(7);
});

test("folds a section and remembers it", async ({ app, page }) => {
  await app.open();
  const section = page.getByRole("treeitem", { name: /^Not planned/ });
  await section.click();
  await expect(section).toHaveAttribute("aria-expanded", "false");
  await expect(page.getByText("Scale the web tier out")).toHaveCount(0);
  await page.reload();
  await expect(page.getByRole("treeitem", { name: /^Not planned/ })).toHaveAttribute("aria-expanded", "false");
});

test("a new change shows as soon as the engine says so", async ({ app, page }) => {
  await app.open();
  await expect(page.getByRole("tree", { name: "Changes" })).toBeVisible();
  await app.emit({ type: "needs-me", clone: "live-1", change: "stage-web-banner", title: "Change the banner of the stage shop" }, [
    "queue",
  ]);
  const toast = page.getByRole("region", { name: "Notices" });
  await expect(toast).toContainText("Needs your review");
  await toast.getByRole("button", { name: "Open" }).click();
  await expect(page.getByRole("article").getByRole("heading", { level: 2 })).toHaveText("Change the banner of the stage shop");
});

test("an alarm stays until it is put away", async ({ app, page }) => {
  await app.open();
  await expect(page.getByRole("tree", { name: "Changes" })).toBeVisible();
  await app.emit({ type: "alarm", clone: "live-1", message: "The shared log was rewound; 3 statements were put back." });
  await expect(page.getByRole("main")).toContainText("The shared log was rewound");
  await page.getByRole("button", { name: "Dismiss" }).first().click();
  await expect(page.getByRole("main")).not.toContainText("The shared log was rewound");
});

test.describe("with 10,000 resources", () => {
  test.use({ scenario: "huge" });
  test("the plan stays smooth", async ({ app, page }) => {
    await app.open("/review/live-1/fleet-image-42/plan");
    const plan = page.getByRole("tree", { name: /^Plan/ });
    await expect(plan.getByText("n00000")).toHaveCount(2);
    expect(await plan.getByRole("treeitem").count()).toBeLessThan(120);
    await page.keyboard.press("Enter");
    await page.keyboard.press("End");
    await expect(plan.getByText('module.fleet[99].terraform_data.node["n09995"]')).toBeVisible();
    await page.keyboard.press("Home");
    await expect(plan.getByText("Destroys and replacements")).toBeVisible();
    const median = await plan.evaluate(async (element) => {
      const frames: number[] = [];
      let last = performance.now();
      for (let step = 0; step < 60; step += 1) {
        element.scrollTop += 4000;
        await new Promise(requestAnimationFrame);
        frames.push(performance.now() - last);
        last = performance.now();
      }
      return frames.sort((a, b) => a - b)[30] as number;
    });
    // Every step brings a whole screen of new rows. Generous for busy cores without a graphics card; drawing all rows takes seconds.
    expect(median).toBeLessThan(150);
    await page.keyboard.press("f");
    await page.keyboard.type("n00042");
    await expect(page.getByRole("toolbar", { name: "Plan" })).toContainText("1 of 10,000");
    await expect(plan.getByText("Destroys and replacements")).toBeVisible();
  });
  test("a long log comes in pages", async ({ app, page }) => {
    const asked: number[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/api/plan_log")) asked.push((request.postDataJSON() as { from: number }).from);
    });
    await app.open("/review/live-1/fleet-image-42/plan");
    await page.getByRole("radio", { name: "Raw log" }).click();
    const log = page.getByRole("listbox", { name: /^Log of stage\/fleet/ });
    await expect(log).toContainText("Terraform used the selected providers");
    await log.focus();
    await page.keyboard.press("End");
    await expect(log).toContainText("1999 to add, 7998 to change, 3 to destroy.");
    expect(asked.length).toBeLessThan(8);
  });
});

test("the raw log: colours, search, jump to the error, wrap", async ({ app, page }) => {
  await app.open("/review/live-1/web-scale-out/plan");
  await expect(page.getByRole("tree", { name: /^Plan/ })).toContainText("Reference to undeclared input variable");
  await page.keyboard.press("l");
  const log = page.getByRole("listbox", { name: /^Log of stage\/web/ });
  await expect(log).toContainText("Initializing the backend");
  await page.keyboard.press("n");
  const error = log.getByText("Error: ", { exact: true });
  await expect(error).toBeVisible();
  expect(await error.evaluate((element) => getComputedStyle(element).color)).not.toBe(
    await log.evaluate((element) => getComputedStyle(element).color),
  );
  await page.keyboard.press("f");
  await page.keyboard.type("module 59");
  await expect(page.getByRole("toolbar", { name: "Log" })).toContainText("1 of 1");
  await expect(log.locator("mark")).toHaveText("module 59");
});

test("the diff: both layouts, files, viewed marks", async ({ app, page }) => {
  await app.open("/review/live-1/grow-orders-db/diff");
  const diff = page.getByRole("tree", { name: "Diff" });
  await expect(diff.getByRole("treeitem", { level: 1 })).toHaveCount(3);
  await expect(diff.getByText('engine   = "16.2"').first()).toBeVisible();
  await page.keyboard.press("s");
  await expect(page.getByRole("radio", { name: "Side by side" })).toBeChecked();
  await page.keyboard.press("Enter");
  await page.keyboard.press("v");
  await expect(page.getByText("2 of 3 viewed")).toBeVisible();
  await expect(diff.getByRole("treeitem", { level: 1 }).first()).toHaveAttribute("aria-expanded", "false");
  await page.getByRole("button", { name: "3 files" }).click();
  await page
    .getByRole("list", { name: "Files" })
    .getByRole("button", { name: /README/ })
    .click();
  await page.keyboard.press("ArrowRight");
  await expect(diff).toContainText("⟨U+202E⟩");
});

test("what comes from a repository stays text", async ({ app, page }) => {
  await app.open(`/review/live-1/${encodeURIComponent('feature/<u>odd name</u> & "quotes"')}/plan`);
  await expect(page.getByRole("article").getByRole("heading", { level: 2 })).toContainText('<img src=x onerror="window.hacked=1">');
  await expect(page.getByRole("tree", { name: /^Plan/ })).toContainText("<script>window.hacked=1</script>");
  await page.getByText("Description").click();
  await expect(page.getByText("<a href='javascript:window.hacked=1'>click</a>")).toBeVisible();
  expect(await page.evaluate(() => "hacked" in window)).toBe(false);
  expect(await page.locator("article img, article b, article script, article a").count()).toBe(0);
});

test.describe("when the engine fails", () => {
  test.use({ expectedErrors: /400 \(Bad Request\)/ });
  test("each error says what happened, what was kept, what to try, and trying again works", async ({ app, page }) => {
    await app.open("/audit");
    await expect(page.getByRole("listbox", { name: "Statements" })).toBeVisible();
    await app.fail("change", "The clone's lock is held by another Git.", "The queue shows what was read before.", "Wait for it to end.");
    await page.keyboard.press("g");
    await page.keyboard.press("r");
    const alert = page.getByRole("article").getByRole("alert");
    await expect(alert).toContainText("The clone's lock is held by another Git.");
    await expect(alert).toContainText("The queue shows what was read before.");
    await alert.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByRole("article").getByRole("heading", { level: 2 })).toHaveText("Grow the orders database");
  });
  test("a change that is gone says where its statements are", async ({ app, page }) => {
    await app.open("/review/live-1/gone/plan");
    await expect(page.getByRole("article")).toContainText("Its statements are kept and show in Audit.");
  });
});

test.describe("when the engine is slow", () => {
  test.use({ scenario: "slow" });
  test("says what it is waiting for", async ({ app, page }) => {
    await app.open();
    await expect(page.getByText("Reading the clones and their changes…")).toBeVisible();
    await expect(page.getByText("Reading the change…")).toBeVisible();
  });
});

test("panes resize by mouse and key and are remembered", async ({ app, page }) => {
  await app.open();
  const splitter = page.getByRole("separator", { name: "Width of the queue" });
  const queue = page.getByRole("region", { name: "Queue" });
  const width = async () => (await queue.boundingBox())?.width ?? 0;
  const before = await width();
  await splitter.focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  expect(await width()).toBe(before + 32);
  const box = await splitter.boundingBox();
  if (!box) throw new Error("no splitter");
  await page.mouse.move(box.x, 400);
  await page.mouse.down();
  await page.mouse.move(box.x - 50, 400);
  await page.mouse.up();
  const dragged = await width();
  expect(dragged).toBeCloseTo(before - 18, -1);
  await page.reload();
  await expect(queue).toBeVisible();
  expect(await width()).toBe(dragged);
});

test.describe("in a narrow window", () => {
  test.use({ viewport: { width: 900, height: 600 } });
  test("the gate folds into the header, and nothing is cut off", async ({ app, page }) => {
    await app.open();
    await expect(page.getByRole("complementary", { name: "Gate" })).toHaveCount(0);
    const fold = page.getByRole("button", { name: /^Gate closed · 3 of 5 met/ });
    await expect(fold).toHaveAttribute("aria-expanded", "false");
    await fold.click();
    await expect(page.getByText("1 of 2; needs 1 of security.")).toBeVisible();
    await expect(page.getByRole("button", { name: /Sign approval/ })).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(900);
  });
});

test("a change that was applied is calm: no alarm, nothing to press", async ({ app, page }) => {
  await app.open("/review/live-1/dev-network-tags/plan");
  const gate = page.getByRole("complementary", { name: "Gate" });
  await expect(gate).toContainText("Gate closed again");
  await expect(gate).toContainText("Each plan is applied at most once.");
  await expect(gate.getByRole("button")).toHaveCount(0);
  await expect(page.getByRole("article")).toContainText("A fresh dry run of trunk shows no changes in dev/network.");
});
