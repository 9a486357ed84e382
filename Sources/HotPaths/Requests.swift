// A write's head and body, taken off a connection.

import HTTPCodec
import NIOCore

enum Requests {
    static let decode: HotPath = {
        let body = Scanning.agentLines(10)
        let head = """
            POST /write?db=telegraf&precision=ns HTTP/1.1\r
            Host: influx.example.org:8086\r
            User-Agent: Telegraf/1.30.0 Go/1.22.2\r
            Content-Length: \(body.count)\r
            Content-Type: text/plain; charset=utf-8\r
            Accept-Encoding: gzip\r
            \r

            """
        let request = ByteBuffer(bytes: Array(head.utf8) + body)
        return HotPath("request", "takes a write of 10 lines apart", bytes: request.readableBytes) {
            var decoder = RequestDecoder()
            return {
                decoder.append(request)
                var parts = 0
                while (try? decoder.next()) != nil { parts += 1 }
                precondition(parts == 3)
            }
        }
    }()
}
