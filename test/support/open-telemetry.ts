import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';

/** One series of a metric: its attributes and the sum, count or value that it has. */
export interface MeasuredSeries {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: unknown;
}

/** What a host exports that has OpenTelemetry set up. */
export interface OpenTelemetry {
  spans(): readonly ReadableSpan[];
  /** Every series of a metric, by its name. */
  metric(name: string): Promise<MeasuredSeries[]>;
  /** Everything exported, as text. */
  dump(): Promise<string>;
  stop(): Promise<void>;
}

/** Registers the SDK for this test file; the application must be created afterwards. */
export function startOpenTelemetry(): OpenTelemetry {
  const spans = new InMemorySpanExporter();
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meters = new MeterProvider({ readers: [reader] });
  const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);
  const collect = async () => {
    exporter.reset();
    await meters.forceFlush();
    return exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  };
  return {
    spans: () => spans.getFinishedSpans(),
    metric: async (name) =>
      (await collect())
        .filter(({ descriptor }) => descriptor.name === name)
        .flatMap(({ dataPoints }): DataPoint<unknown>[] => [...dataPoints])
        .map(({ attributes, value }) => ({ attributes: { ...attributes }, value: countIn(value) })),
    dump: async () => {
      const told = spans
        .getFinishedSpans()
        .map(({ name, attributes, status, events, links }) => ({ name, attributes, status, events, links }));
      return JSON.stringify([told, await collect()]);
    },
    stop: async () => {
      await tracers.shutdown();
      await meters.shutdown();
      trace.disable();
      metrics.disable();
      context.disable();
    },
  };
}

/** A histogram is told by how many values it has. */
function countIn(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'count' in value ? value.count : value;
}
