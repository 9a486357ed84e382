// swift-tools-version: 6.2
import PackageDescription

// SLUICE_CORE=1 leaves out everything that needs a dependency: sanitizers, fuzzers and the quick
// edit-test cycle then build the pure targets alone, in seconds.
let coreOnly = Context.environment["SLUICE_CORE"] == "1"

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioLocks: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let deques: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")

// Lowest first; a target imports only what stands above it.
let core: [Target] = [
    .target(name: "CPlatform"),
    library("LineProtocol"),
    library("InfluxQL"),
    library("CommitLog", ["CPlatform"]),
    library("Cluster", ["CommitLog"]),
    library("SimulatedDisk", ["CommitLog"]),
    library("SimulatedInfluxDB"),
    .target(name: "TestThreads", path: "Tests/TestThreads", swiftSettings: strict),
    tests("LineProtocolTests", ["LineProtocol", "TestThreads"]),
    tests("InfluxQLTests", ["InfluxQL"]),
    tests("CommitLogTests", ["CommitLog", "SimulatedDisk", "TestThreads"]),
    tests("ClusterTests", ["Cluster", "TestThreads"]),
]

let full: [Target] = [
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    library("ContentCoding", ["CZlib", nioCore]),
    library("SecureTransport", [nioCore, nioSSL, nioLocks]),
    library("HTTPCodec", [nioCore, nioHTTP1]),
    library("NodeClient", ["HTTPCodec", "SecureTransport", nioCore, nioPosix, nioHTTP1, nioSSL, nioTLS]),
    .systemLibrary(name: "CSnappy", providers: [.apt(["libsnappy-dev"])]),
    .target(
        name: "Prometheus", dependencies: ["CSnappy", "LineProtocol", "InfluxQL", protobuf],
        exclude: ["remote.proto"], swiftSettings: strict),
    library(
        "Replication",
        [
            "LineProtocol", "InfluxQL", "CommitLog", "Cluster", "ContentCoding", "HTTPCodec", "NodeClient", nioCore,
            nioPosix,
            nioHTTP1, nioLocks, logging,
        ]
    ),
    library(
        "Querying",
        [
            "LineProtocol", "InfluxQL", "Cluster", "ContentCoding", "HTTPCodec", "NodeClient", nioCore, nioHTTP1,
            deques,
            logging,
        ]),
    library(
        "Gateway",
        [
            "LineProtocol", "InfluxQL", "CommitLog", "Cluster", "NodeClient", "Replication", "Querying",
            "ContentCoding", "Prometheus", "SecureTransport", "HTTPCodec", nioCore, nioPosix, nioHTTP1, nioLocks,
            nioSSL, nioTLS, logging,
        ]
    ),
    library(
        "Operations",
        [
            "CommitLog", "LineProtocol", "InfluxQL", "Cluster", "NodeClient", "Replication", "Querying", "Gateway",
            "SecureTransport", logging, httpClient, nioCore, nioPosix,
            .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            .product(name: "Yams", package: "Yams"),
            .product(name: "GRDB", package: "GRDB.swift"),
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "CryptoExtras", package: "swift-crypto"),
        ]
    ),
    .executableTarget(
        name: "sluice",
        dependencies: ["Operations", .product(name: "ArgumentParser", package: "swift-argument-parser")],
        swiftSettings: strict
    ),
    library(
        "Simulation",
        [
            "SimulatedDisk", "SimulatedInfluxDB", "CommitLog", "Cluster", "NodeClient", "Replication", "Gateway",
            "Querying", nioCore, nioLocks, logging, .product(name: "HeapModule", package: "swift-collections"),
        ]
    ),
    .executableTarget(
        name: "sluice-sim",
        dependencies: ["Simulation", .product(name: "ArgumentParser", package: "swift-argument-parser")],
        swiftSettings: strict
    ),
    library("HotPaths", ["LineProtocol", "CommitLog", "InfluxQL", "HTTPCodec", "Querying", nioCore]),
    .executableTarget(
        name: "hot-paths",
        dependencies: ["HotPaths", .product(name: "ArgumentParser", package: "swift-argument-parser")],
        swiftSettings: strict
    ),
    .executableTarget(
        name: "sluice-bench",
        dependencies: [
            "ContentCoding", "TestSupport", nioCore,
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        swiftSettings: strict
    ),
    .executableTarget(
        name: "sluice-chaos",
        dependencies: ["Chaos", .product(name: "ArgumentParser", package: "swift-argument-parser")],
        swiftSettings: strict
    ),
    .target(
        name: "Chaos", dependencies: ["TestSupport", httpClient, nioCore, nioPosix], path: "Tests/Chaos",
        swiftSettings: strict),
    .target(
        name: "TestSupport", dependencies: [httpClient, nioCore, nioPosix, nioSSL], path: "Tests/TestSupport",
        swiftSettings: strict),
    .target(
        name: "HTTPOracle", dependencies: ["HTTPCodec", nioCore, nioHTTP1, nioEmbedded], path: "Tests/HTTPOracle",
        swiftSettings: strict),
    tests("HTTPCodecTests", ["HTTPCodec", "HTTPOracle", "SimulatedDisk", nioCore]),
    tests(
        "NodeClientTests",
        ["HTTPCodec", "NodeClient", "TestSupport", "TestThreads", nioCore, nioPosix, nioHTTP1, nioEmbedded]),
    tests(
        "ReplicationTests",
        [
            "Replication", "Cluster", "CommitLog", "NodeClient", "SimulatedDisk", "TestSupport", "TestThreads", nioCore,
            nioPosix, nioEmbedded, nioLocks,
        ]),
    tests("QueryingTests", ["Querying", "LineProtocol", "Cluster", "InfluxQL", "TestSupport"]),
    tests("ContentCodingTests", ["ContentCoding", nioCore, nioEmbedded]),
    tests("PrometheusTests", ["Prometheus", "InfluxQL", "TestSupport"]),
    tests(
        "GatewayTests",
        [
            "Gateway", "Cluster", "CommitLog", "HTTPCodec", "LineProtocol", "Querying", "TestThreads", nioCore,
            nioPosix, nioEmbedded,
        ]),
    tests(
        "OperationsTests",
        [
            "Operations", "CommitLog", "Cluster", "Replication", "NodeClient", "Querying", "SecureTransport",
            "TestSupport", "TestThreads", httpClient,
        ]),
    tests("SimulatedInfluxDBTests", ["SimulatedInfluxDB", "TestSupport"]),
    tests("SimulationTests", ["Simulation", "CommitLog", "TestSupport"]),
    tests("ChaosTests", ["Chaos", "TestSupport"]),
    tests("EndToEndTests", ["TestSupport", "LineProtocol", "InfluxQL", "CommitLog", "Prometheus"]),
]

// SLUICE_FUZZ=1 adds the fuzz targets, for `scripts/fuzz`: programs whose main function is libFuzzer's.
let fuzzing = Context.environment["SLUICE_FUZZ"] == "1"

let fuzzers: [Target] = [
    .target(name: "FuzzEngine", path: "Fuzzing/Engine", swiftSettings: strict),
    .executableTarget(
        name: "fuzz-core",
        dependencies: ["FuzzEngine", "LineProtocol", "InfluxQL", "CPlatform", "CommitLog", "Cluster"],
        path: "Fuzzing/Core", swiftSettings: strict),
]

let fuzzersOfAll: [Target] = [
    // Of `Operations` alone: its other parts pull in four packages that would take minutes.
    .target(
        name: "FuzzConfiguration",
        dependencies: [
            "Cluster", "NodeClient", "Querying", "Gateway", "SecureTransport",
            .product(name: "Yams", package: "Yams"),
        ],
        path: "Sources/Operations/Configuration", swiftSettings: strict),
    .executableTarget(
        name: "fuzz-full",
        dependencies: [
            "FuzzEngine", "FuzzConfiguration", "InfluxQL", "Cluster", "CZlib", "ContentCoding", "NodeClient",
            "Prometheus", "Replication", "Querying", "Gateway", "HTTPOracle", nioCore, nioEmbedded,
        ],
        path: "Fuzzing/Full", swiftSettings: strict),
]

// SLUICE_BENCHMARKS=1 adds what times the hot paths, for `swift package benchmark`.
let benchmarking = Context.environment["SLUICE_BENCHMARKS"] == "1"

let benchmarks: [Target] = [
    .executableTarget(
        name: "HotPathBenchmarks", dependencies: ["HotPaths", .product(name: "Benchmark", package: "benchmark")],
        path: "Benchmarks/HotPathBenchmarks", swiftSettings: strict,
        plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
]

/// Beside which `FuzzConfiguration` cannot be: a file belongs to one target.
let operations: Set = ["Operations", "OperationsTests", "sluice"]

let package = Package(
    name: "sluice",
    products: coreOnly || fuzzing ? [] : [.executable(name: "sluice", targets: ["sluice"])],
    dependencies: coreOnly
        ? []
        : [
            .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
            .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
            .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
            .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
            .package(url: "https://github.com/apple/swift-collections", from: "1.4.0"),
            .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
            .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
            .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
            .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
            .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
            .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
            .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        ]
            + (benchmarking
                ? [.package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: [])] : []),
    targets: coreOnly
        ? core + (fuzzing ? fuzzers : [])
        : fuzzing
            ? core + full.filter { !operations.contains($0.name) } + fuzzers + fuzzersOfAll
            : core + full + (benchmarking ? benchmarks : []),
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu11
)
