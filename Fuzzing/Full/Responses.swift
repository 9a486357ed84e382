// What a node answers, byte for byte: in any pieces the same response, which ends where NIOHTTP1 sees it end.

import FuzzEngine
import HTTPOracle

/// Input: a byte of choices, one for a cut, then what a node sends.
let responses = FuzzTarget("responses") { bytes in
    var input = FuzzInput(bytes)
    let isHead = input.byte() & 1 == 1
    let cut = Int(input.byte())
    let stream = input.rest()
    let place = cut * (stream.count + 1) / 256
    let pieces = [Array(stream[..<place]), Array(stream[place...])]
    let whole = ResponseTranscript.sluice([stream], isHead: isHead)
    demand(ResponseTranscript.sluice(pieces, isHead: isHead) == whole, "in pieces it is another response")
    if stream.count <= 128 {
        let bytewise = ResponseTranscript.sluice(stream.map { [$0] }, isHead: isHead)
        demand(bytewise == whole, "byte by byte: \(bytewise), not \(whole)")
    }
    let disagreement = HTTPOracle.responseDisagreement(on: pieces, isHead: isHead)
    demand(disagreement == nil, disagreement ?? "")
}
