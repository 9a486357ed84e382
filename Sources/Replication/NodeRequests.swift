// Records as requests to a node.

import Cluster
import CommitLog
import NIOCore
import NIOHTTP1
import NodeClient

package enum NodeRequests {
    /// `POST /write` for a batch. `precision` as InfluxDB spells it.
    package static func write(
        database: String, retentionPolicy: String, precision: String, body: [ByteBuffer]
    ) -> NodeRequest {
        var target = "/write?db=" + percentEncoded(database)
        if !retentionPolicy.isEmpty { target += "&rp=" + percentEncoded(retentionPolicy) }
        if precision != "n" { target += "&precision=" + precision }
        return NodeRequest(
            method: .POST, target: target, headers: [("Content-Type", "text/plain; charset=utf-8")], body: body
        )
    }

    /// `POST /query` for a mutation.
    static func mutation(
        statement: String, database: String, retentionPolicy: String, parameters: String
    ) -> NodeRequest {
        var form = "q=" + percentEncoded(statement)
        if !database.isEmpty { form += "&db=" + percentEncoded(database) }
        if !retentionPolicy.isEmpty { form += "&rp=" + percentEncoded(retentionPolicy) }
        if !parameters.isEmpty { form += "&params=" + percentEncoded(parameters) }
        return NodeRequest(
            method: .POST, target: "/query",
            headers: [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")],
            body: [ByteBuffer(string: form)]
        )
    }

    static let ping = NodeRequest(method: .GET, target: "/ping")

    /// The text that `percentEncoded` was given.
    package static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Everything but unreserved characters (RFC 3986) as %XX.
    package static func percentEncoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        encoded.reserveCapacity(text.utf8.count + 16)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                encoded.append(byte)
            default:
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
