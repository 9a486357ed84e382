// The fuzz targets that need nothing but the pure targets of the package: they build in seconds.

import FuzzEngine

private let targets = [lineProtocol, influxQL, responseErrors, records, logFolder]

@_cdecl("LLVMFuzzerInitialize")
func initialize(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> Int32 {
    FuzzTarget.choose(among: targets, count, arguments)
    return 0
}
