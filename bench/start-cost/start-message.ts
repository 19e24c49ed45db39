/** What a start took; times in milliseconds, memory in MiB after a garbage collection. */
export interface StartMessage {
  /** To import the package, its frameworks being there already; 0 without it. */
  readonly importMs: number;
  /** CPU of it, which a busy machine changes less. */
  readonly importCpuMs: number;
  /** To create the application and listen. */
  readonly startMs: number;
  /** From the start of the process until it listened. */
  readonly processMs: number;
  readonly importedHeapMb: number;
  readonly importedRssMb: number;
  readonly startedRssMb: number;
}
