// A node's answer to a small query, taken off a connection.

import HTTPCodec
import NIOCore

enum Responses {
    static let decode: HotPath = {
        let body =
            #"{"results":[{"statement_id":0,"series":[{"name":"cpu","columns":["time","mean"],"values":["#
            + Array(repeating: "[1700000000000,91.2371]", count: 30).joined(separator: ",") + "]}]}]}\n"
        let head = """
            HTTP/1.1 200 OK\r
            Content-Type: application/json\r
            Request-Id: 3cbb4dc2-c5c2-11f0-8001-000000000000\r
            X-Influxdb-Build: OSS\r
            X-Influxdb-Version: 1.8.10\r
            X-Request-Id: 3cbb4dc2-c5c2-11f0-8001-000000000000\r
            Date: Sun, 22 Nov 2026 07:00:00 GMT\r
            Transfer-Encoding: chunked\r
            \r

            """
        let chunk = "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
        let response = ByteBuffer(string: head + chunk)
        return HotPath("response", "takes an answer of 30 rows apart", bytes: response.readableBytes) {
            var decoder = ResponseDecoder()
            return {
                decoder.expectResponse(toHead: false)
                decoder.append(response)
                var parts = 0
                while (try? decoder.next()) != nil { parts += 1 }
                precondition(parts == 3)
            }
        }
    }()
}
