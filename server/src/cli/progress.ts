import { grouped, paint } from "#cli/output.ts";
import { fit } from "#cli/text.ts";
import { say, type World } from "#cli/world.ts";

/** How often the bar is drawn anew; faster is flicker. */
const DRAW_MS = 100;
/** How often a line is printed where there is no terminal: a log that grows by six lines a minute is bearable. */
const LINE_MS = 10_000;
const BAR_COLUMNS = 20;
/** Room for percent, counts, rate and time left, so that the bar keeps its length while they grow. */
const WORDS_COLUMNS = 54;
const BAR_COLUMNS_MIN = 8;

/** Shows how far a long work has come: one moving line on a terminal, a line now and then elsewhere. */
export class ProgressLine {
  readonly #world: World;
  readonly #what: string;
  readonly #startMs: number;
  #shownMs = Number.NEGATIVE_INFINITY;
  #drawn = false;

  constructor(world: World, what: string) {
    this.#world = world;
    this.#what = what;
    this.#startMs = world.clock.monotonicMs();
  }

  /**
   * @param share how much is done, 0 to 1, and how much of it was done before this run began.
   * @param done how many things this run has done, for the rate.
   */
  show({ share, before, done, note }: { share: number; before: number; done: number; note: string }): void {
    const nowMs = this.#world.clock.monotonicMs();
    const { err } = this.#world;
    if (nowMs - this.#shownMs < (err.isTty ? DRAW_MS : LINE_MS) && share < 1) return;
    if (!err.isTty && this.#shownMs === Number.NEGATIVE_INFINITY && share < 1) {
      // The first line comes when there is something to tell.
      this.#shownMs = nowMs;
      return;
    }
    this.#shownMs = nowMs;
    const seconds = Math.max((nowMs - this.#startMs) / 1000, 0.001);
    const rate = done / seconds;
    const left = share > before ? ((1 - share) / (share - before)) * seconds : Number.NaN;
    const eta = share >= 1 || !Number.isFinite(left) ? "" : `, ${countdown(left)} left`;
    const percent = `${String(Math.floor(share * 100)).padStart(3)}%`;
    const tail = `${note}, ${grouped(Math.round(rate))}/s${eta}`;
    if (!err.isTty) {
      say(err, `${this.#what}: ${percent.trim()}, ${tail}`);
      return;
    }
    const width = Math.max(BAR_COLUMNS_MIN, Math.min(BAR_COLUMNS, err.columns - this.#what.length - WORDS_COLUMNS));
    const filled = Math.round(share * width);
    const bar = paint(err, "cyan", "━".repeat(filled)) + paint(err, "dim", "━".repeat(width - filled));
    const head = `${this.#what} `;
    const rest = fit(` ${percent}  ${tail}`, err.columns - head.length - width - 1);
    err.write(`\r\u001B[2K${head}${bar}${rest}`);
    this.#drawn = true;
  }

  /** The same without a bar, where nobody knows how much there is to do. */
  tell(note: string): void {
    const nowMs = this.#world.clock.monotonicMs();
    const { err } = this.#world;
    if (!err.isTty || nowMs - this.#shownMs < DRAW_MS) return;
    this.#shownMs = nowMs;
    err.write(`\r\u001B[2K${fit(`${this.#what}: ${note}`, err.columns - 1)}`);
    this.#drawn = true;
  }

  /** Leaves the last state on its own line. */
  end(): void {
    if (this.#drawn) this.#world.err.write("\n");
    this.#drawn = false;
  }
}

/** `0:07`, `3:20`, `1:02:03`. */
function countdown(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
