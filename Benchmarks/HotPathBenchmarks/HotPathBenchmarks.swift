// Times the hot paths: SLUICE_BENCHMARKS=1 swift package benchmark

import Benchmark
import HotPaths

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.cpuTotal, .wallClock, .throughput, .contextSwitches], warmupIterations: 10, scalingFactor: .one,
        maxDuration: .seconds(2))
    for path in HotPath.all {
        Benchmark("\(path.name): \(path.title) (\(path.bytes) bytes)") { benchmark in
            let call = path.prepared()
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { call() }
            benchmark.stopMeasurement()
        }
    }
}
