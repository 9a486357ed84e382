// The fuzz targets that need the package's dependencies: SwiftNIO, zlib, snappy, Yams.

import FuzzEngine

private let targets = [http, responses, parameters, gzip, prometheus, json, nodeAnswers, rows, configuration]

@_cdecl("LLVMFuzzerInitialize")
func initialize(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> Int32 {
    FuzzTarget.choose(among: targets, count, arguments)
    return 0
}
