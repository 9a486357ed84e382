// Request parameters, from URL, form and multipart form: what is sent on to a node is what was read.

import FuzzEngine
import InfluxQL
import Querying

/// Input: a byte for the method, then the URL's query, the content type and the body, the first two ended by a newline.
let parameters = FuzzTarget("parameters") { bytes in
    var input = FuzzInput(bytes)
    let method = ["GET", "POST", "PUT", "HEAD"][Int(input.byte()) % 4]
    let url = input.take(upTo: 0x0A)
    let type = String(decoding: input.take(upTo: 0x0A), as: UTF8.self)
    let body = input.rest()
    let read = RequestParameters(urlQuery: url, method: method, contentType: type.isEmpty ? nil : type, body: body)

    let form = read.encodedForm()
    let contentType = "application/x-www-form-urlencoded"
    let posted = RequestParameters(urlQuery: [], method: "POST", contentType: contentType, body: form)
    let linked = RequestParameters(urlQuery: form, method: "GET", contentType: nil, body: [])
    for again in [posted, linked] {
        demand(again.statements == trimmed(read.statements), "other statements than were read")
        for key in ["db", "rp", "epoch", "chunked", "chunk_size", "params", "node_id", "", "a"] {
            demand(again.bytes(key) == read.bytes(key), "another \(key) than was read")
        }
        demand(again.username == nil && again.password == nil && !again.isPretty, "a credential wanders about")
    }
    // Once blanks around an uploaded file's statements are gone.
    let settled = posted.encodedForm()
    let settledAgain = RequestParameters(urlQuery: [], method: "POST", contentType: contentType, body: settled)
    demand(settledAgain.encodedForm() == settled, "a form does not stay as it is")
    demand(form.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3B }, "a form that is not only text")
    if let statements = read.statements { _ = Parsed(utf8: statements, hasParameters: read["params"] != nil) }
}

/// An uploaded file is not trimmed, a parameter is.
private func trimmed(_ statements: [UInt8]?) -> [UInt8]? {
    guard let statements else { return nil }
    var form: [UInt8] = Array("q=".utf8)
    PercentEncoding.append(statements, to: &form)
    return RequestParameters(urlQuery: form, method: "GET", contentType: nil, body: []).statements
}
