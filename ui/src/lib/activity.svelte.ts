// What the engine said it is doing, for the places that wait for it.
import type { EngineEvent } from "../host";

class Activity {
  /** The latest line of each run. */
  latest = $state.raw<ReadonlyMap<string, string>>(new Map());
  /** Every line since the last [`begin`], for a list that grows. */
  lines = $state.raw<readonly string[]>([]);
  alarms = $state.raw<readonly { clone: string; message: string }[]>([]);

  begin(): void {
    this.lines = [];
  }

  hear(event: EngineEvent): void {
    if (event.type === "run-started") this.#say(event.run, event.title);
    if (event.type === "run-progress") this.#say(event.run, event.text);
    if (event.type === "alarm" && !this.alarms.some((alarm) => alarm.clone === event.clone && alarm.message === event.message)) {
      this.alarms = [...this.alarms, { clone: event.clone, message: event.message }];
    }
  }

  dismissAlarm(message: string): void {
    this.alarms = this.alarms.filter((alarm) => alarm.message !== message);
  }

  #say(run: string, text: string): void {
    this.latest = new Map([...this.latest, [run, text]]);
    this.lines = [...this.lines, text].slice(-200);
  }
}

export const activity = new Activity();
