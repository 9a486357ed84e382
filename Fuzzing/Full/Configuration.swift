// Configuration: any file, variables and flags give a configuration or problems that say where they are.

import FuzzConfiguration
import FuzzEngine
import NodeClient

/// Input: the file's text; behind a NUL, lines of `KEY=value` for variables, flags (`--`) and nodes.
let configuration = FuzzTarget("configuration") { bytes in
    var input = FuzzInput(bytes)
    var given = ConfigurationInput()
    given.file = ("sluice.yaml", String(decoding: input.take(upTo: 0), as: UTF8.self))
    for line in String(decoding: input.rest(), as: UTF8.self).split(separator: "\n") {
        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let (key, value) = (parts[0], parts.count > 1 ? parts[1] : "")
        if key.hasPrefix("--") {
            given.flags.append((key, String(key.dropFirst(2)), value))
        } else if key == "node" {
            given.nodeFlags.append(value)
        } else {
            given.environment["SLUICE_" + key] = value
        }
    }
    given.readPasswordFile = { path throws(ValueFault) in
        PasswordFile(password: Secret(path), isReadableByOthers: path.utf8.count % 2 == 0)
    }
    given.examineTLS = { _, _ in [] }
    let loaded = ConfigurationLoader.load(given)
    for problem in loaded.problems {
        demand(!"\(problem)".isEmpty, "a problem without words")
    }
    let again = ConfigurationLoader.load(given)
    demand("\(again.problems)" == "\(loaded.problems)", "another look finds other problems")
}
