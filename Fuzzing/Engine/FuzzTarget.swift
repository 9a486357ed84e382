// What all fuzz targets share: a name, a function over bytes, and how libFuzzer comes to it.

import Glibc
import Synchronization

/// One subject under libFuzzer: it must take any bytes without a trap, and checks what must hold of them.
package struct FuzzTarget: Sendable {
    /// As in `make fuzz TARGETS=name`; also the folder of its corpus and the name of its dictionary.
    package let name: String
    /// Called once per input. A failed `demand`, a trap or a sanitizer's report is a finding.
    package let check: @Sendable ([UInt8]) -> Void

    package init(_ name: String, _ check: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.check = check
    }
}

/// The target of this process.
private let chosen = Mutex<FuzzTarget?>(nil)

/// libFuzzer runs itself again for some jobs (`-merge`, `-jobs`), without arguments that are not its own: its children
/// find the name here.
private let nameVariable = "SLUICE_FUZZ_TARGET"

extension FuzzTarget {
    /// Chooses the target that the first argument names and takes that argument away; to be called from the program's
    /// `LLVMFuzzerInitialize`. Ends the program with a list when there is no such target.
    package static func choose(
        among targets: [FuzzTarget], _ count: UnsafeMutablePointer<Int32>,
        _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
    ) {
        var name = getenv(nameVariable).map { String(cString: $0) } ?? ""
        if count.pointee > 1, let list = arguments.pointee, let first = list[1], first[0] != CChar(bitPattern: 0x2D) {
            let given = String(cString: first)
            if name.isEmpty || given == name {
                name = given
                for place in 1..<Int(count.pointee) { list[place] = list[place + 1] }
                count.pointee -= 1
            }
        }
        guard let target = targets.first(where: { $0.name == name }) else {
            for target in targets { print(target.name) }
            exit(name == "list" ? 0 : 64)
        }
        setenv(nameVariable, name, 1)
        chosen.withLock { $0 = target }
    }
}

/// libFuzzer's way in.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    guard let target = chosen.withLock({ $0 }) else { return 0 }
    target.check(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

/// Ends the process, and so makes the input a finding, if what must hold does not.
package func demand(
    _ holds: Bool, _ what: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) {
    if holds { return }
    let text = Array("\n\(file):\(line): does not hold: \(what())\n".utf8)
    _ = text.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    abort()
}

/// Gives the bytes in memory that holds nothing else, so that the address sanitizer sees a read beside them.
package func withExactMemory<Result, Failure: Error>(
    _ bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
) throws(Failure) -> Result {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { memory.deallocate() }
    memory.copyBytes(from: bytes)
    return try body(UnsafeRawBufferPointer(memory))
}
