// The time, for "12 min. ago". It ticks once a minute, and only while the window is seen.
class Clock {
  now = $state(Date.now());

  follow(): () => void {
    const tick = () => {
      if (document.visibilityState === "visible") this.now = Date.now();
    };
    const timer = setInterval(tick, 60_000);
    document.addEventListener("visibilitychange", tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", tick);
    };
  }
}

export const clock = new Clock();
