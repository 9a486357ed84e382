// What nodes say, whoever they are: lists in JSON, CSV and MessagePack with the gateway's own rows taken out, times and
// durations, counters. No answer may end the gateway.

import FuzzEngine
import Querying
import Replication

/// Input: a byte for the format and the kind of list, then the body.
let nodeAnswers = FuzzTarget("node-answers") { bytes in
    var input = FuzzInput(bytes)
    let choices = Int(input.byte())
    let body = input.rest()
    let listings: [HiddenRows.Listing] = [.rows, .series, .column, .tag]
    let listing = listings[choices % 4]
    switch choices / 4 % 4 {
    case 0:
        let text = String(decoding: body, as: UTF8.self)
        _ = GoText.time(text)
        _ = GoText.duration(text)
        guard let document = try? JSONValue(parsing: body) else { return }
        for database in ["d", nil] {
            guard let counters = try? WriteCounters(variables: document, database: database) else { continue }
            var forgotten = ForgottenWrites()
            forgotten.belong(to: counters.process)
            demand(forgotten.unfinished(in: counters) >= 0, "less than nothing is under way")
            forgotten.remember(counters)
            demand(forgotten.unfinished(in: counters) == 0, "what is forgotten is still counted")
        }
    case let format:
        let type = ["", "application/json", "text/csv", "application/x-msgpack"][format]
        func removed(_ body: [UInt8], isPretty: Bool = false) -> [UInt8] {
            HiddenRows.removed(
                from: body, contentType: type, listings: [0: listing, 1: listings[choices / 16 % 4]],
                isPretty: isPretty)
        }
        let once = removed(body)
        demand(removed(once) == once, "taking rows out twice takes out more")
        if format == 1 { _ = removed(body, isPretty: true) }
    }
}
