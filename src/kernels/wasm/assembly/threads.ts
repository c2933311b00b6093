// Kernels are cut into parts, which threads take one after another. How a kernel is cut depends on sizes only, and no part's result on
// who computes it, so that the numbers are the same for any number of threads.
//
// All instances of this module share one memory. The ticket says into how many parts the job is cut that is on, and how many were taken
// from each end; taking one is an atomic addition. The caller takes from the front, the others from the back, so that what a thread wrote
// in one kernel it mostly reads in the next: it is in its cache. A thread that comes late finds no part left, and a thread that never comes
// is not missed.

/** A part of a kernel's work; its arguments are read by `argument`; `work` is memory of this thread's own. */
export type Part = (part: i32, parts: i32, work: usize) => void;

/** Starts helper number `thread`, before the first job that is worth sharing with it. */
// @ts-ignore: decorator
@external("env", "startHelper")
declare function startHelper(thread: i32): void;

// The first page, each on a cache line of its own.
const TICKET: usize = 64; // i64: parts << 32 | taken from the back << 16 | taken from the front
const FINISHED: usize = 128; // i32: parts that are done
const JOBS: usize = 192; // i32: the count of jobs; sleepers wait for it to change
const SLEEPERS: usize = 256; // i32
const WAITING: usize = 320; // i32: 1 while the caller sleeps
const THREADS: usize = 448; // i32: how many threads take parts, the caller among them; helpers from this number on sleep
const JOB: usize = 384; // i32: index of the part function
const WORK: usize = 392; // i32: where work memory begins, and how many bytes each slot of it has
const SLOT: usize = 400; // i32: how many threads have taken a slot of work memory in this job
const ARGUMENTS: usize = 512;

/** How often a thread looks for the next job, or the caller for the end of this one, before it sleeps. */
const LOOKS: i32 = 200000;

let threads: i32 = 1;
let mostThreads: i32 = 1;
let maySleep: bool = true;
let started: i32 = 1;

/**
 * How many threads take parts, the caller among them. Helpers are never stopped: one that were might have a part. One that has not heard
 * yet may take a part more, and does it as well as any other. `sleep`: whether the caller may wait asleep.
 */
export function setThreads(count: i32, sleep: bool): void {
  threads = count;
  mostThreads = max(mostThreads, count);
  maySleep = sleep;
  atomic.store<i32>(THREADS, count);
}

/** Arguments of the kernel that runs. */
// @ts-ignore: decorator
@inline
export function argument(i: i32): i32 {
  return load<i32>(ARGUMENTS + 4 * <usize>i);
}

// @ts-ignore: decorator
@inline
export function setArgument(i: i32, value: i32): void {
  store<i32>(ARGUMENTS + 4 * <usize>i, value);
}

// @ts-ignore: decorator
@inline
export function numberArgument(i: i32): f64 {
  return load<f64>(ARGUMENTS + 8 * <usize>i);
}

// @ts-ignore: decorator
@inline
export function setNumberArgument(i: i32, value: f64): void {
  store<f64>(ARGUMENTS + 8 * <usize>i, value);
}

/** Where part number `part` of n things begins; the beginnings are multiples of `unit`. */
export function cut(n: i32, part: i32, parts: i32, unit: i32): i32 {
  const units = <i64>((n + unit - 1) / unit);
  return <i32>min<i64>(n, ((units * part) / parts) * unit);
}

/** Into how many parts n things are cut where `least` are worth a part. */
export function partsFor(n: i32, least: i32, most: i32): i32 {
  return max(1, min(most, n / least));
}

/** How many threads there are, for work whose result does not depend on how it is cut. */
export function threadCount(): i32 {
  return threads;
}

/**
 * How many threads can take part in a job of `parts` parts at once: the slots of work memory it needs. Counts every thread that was ever
 * asked for, since a worker that does not know yet that fewer threads are wanted may still take a part.
 */
export function slots(parts: i32): i32 {
  return max(1, min(parts, mostThreads));
}

/** Runs all parts of a kernel. Each thread that takes parts owns one slot of work memory: `slots(parts)` slots of `size` bytes at `work`. */
export function run(job: Part, parts: i32, work: usize, size: usize): void {
  if (threads == 1 || parts == 1) {
    for (let part = 0; part < parts; part++) job(part, parts, work);
    return;
  }
  for (; started < threads; started++) startHelper(started);
  store<i32>(JOB, job.index);
  store<i32>(WORK, <i32>work);
  store<i32>(WORK, <i32>size, 4);
  store<i32>(SLOT, 0);
  atomic.store<i32>(FINISHED, 0);
  atomic.store<i64>(TICKET, <i64>parts << 32);
  atomic.add<i32>(JOBS, 1);
  if (atomic.load<i32>(SLEEPERS) > 0) atomic.notify(JOBS, -1);
  takeParts(0);
  let looks = 0;
  for (let done = atomic.load<i32>(FINISHED); done < parts; done = atomic.load<i32>(FINISHED)) {
    if (++looks < LOOKS || !maySleep) continue;
    // Someone who has a part was sent to sleep by the machine.
    atomic.store<i32>(WAITING, 1);
    atomic.wait<i32>(FINISHED, done, 1_000_000);
    atomic.store<i32>(WAITING, 0);
  }
}

/** How many parts nobody has taken. */
// @ts-ignore: decorator
@inline
function left(ticket: i64): i32 {
  return <i32>(ticket >> 32) - <i32>((ticket >> 16) & 0xffff) - <i32>(ticket & 0xffff);
}

/** Takes parts of the job that is on until none is left. */
function takeParts(thread: i32): void {
  let slot = -1; // taken with the first part, so that a job has no more slots than parts
  for (;;) {
    const ticket = atomic.add<i64>(TICKET, thread == 0 ? 1 : 1 << 16);
    if (left(ticket) <= 0) return;
    const parts = <i32>(ticket >> 32);
    const next = thread == 0 ? <i32>(ticket & 0xffff) : parts - 1 - <i32>((ticket >> 16) & 0xffff);
    // From here on the job cannot end, nor its arguments change, before this part is done.
    if (slot < 0) slot = atomic.add<i32>(SLOT, 1);
    const work = <usize>load<i32>(WORK) + <usize>slot * <usize>load<i32>(WORK, 4);
    call_indirect<void>(load<i32>(JOB), next, parts, work);
    atomic.add<i32>(FINISHED, 1);
    if (atomic.load<i32>(WAITING) != 0) atomic.notify(FINISHED, 1);
  }
}

/** What a helping thread does for ever; threads count from 1. */
export function serve(thread: i32): void {
  for (;;) {
    const count = atomic.load<i32>(JOBS);
    for (let looks = 0; looks < LOOKS && thread < atomic.load<i32>(THREADS); looks++) {
      if (left(atomic.load<i64>(TICKET)) > 0) {
        takeParts(thread);
        looks = 0;
      }
    }
    atomic.add<i32>(SLEEPERS, 1);
    atomic.wait<i32>(JOBS, count, -1);
    atomic.sub<i32>(SLEEPERS, 1);
  }
}
