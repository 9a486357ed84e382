// What the demo says to InfluxDB and to the gateway, over plain HTTP.
import AsyncHTTPClient
import Foundation
import NIOCore

struct DemoHTTP: Sendable {
    /// `http://127.0.0.1:port`
    let base: String
    private static let timeout = TimeAmount.seconds(60)

    func isAlive() async -> Bool {
        let response = try? await PlainHTTP.client.execute(HTTPClientRequest(url: base + "/ping"), timeout: .seconds(1))
        return response?.status.code == 204
    }

    /// Writes lines with nanosecond timestamps; throws with the answer's words when it is not a 204.
    func write(_ lines: String, database: String) async throws {
        var request = HTTPClientRequest(url: base + "/write?db=\(database)")
        request.method = .POST
        request.body = .bytes(ByteBuffer(string: lines))
        let response = try await PlainHTTP.client.execute(request, timeout: Self.timeout)
        let body = try await response.body.collect(upTo: 1 << 20)
        guard response.status.code == 204 else {
            throw ServingError(
                "a write was answered \(response.status.code) \(String(buffer: body).trimmingCharacters(in: .whitespacesAndNewlines))",
                advice: "see the gateway's log")
        }
    }

    /// The bytes of an answer.
    func query(_ statement: String, database: String) async throws -> ByteBuffer {
        var form = URLComponents()
        form.queryItems = [URLQueryItem(name: "db", value: database), URLQueryItem(name: "q", value: statement)]
        var request = HTTPClientRequest(url: base + "/query")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        let encoded = (form.percentEncodedQuery ?? "").replacing("+", with: "%2B")
        request.body = .bytes(ByteBuffer(string: encoded))
        let response = try await PlainHTTP.client.execute(request, timeout: Self.timeout)
        let body = try await response.body.collect(upTo: 256 << 20)
        guard response.status.code == 200 else {
            throw ServingError(
                "\(statement) was answered \(response.status.code) \(String(buffer: body))", advice: "see the logs")
        }
        return body
    }

    /// The single number that a statement such as SELECT count(v) answers; 0 when there is no row.
    func count(_ statement: String, database: String) async throws -> Int {
        struct Answer: Decodable {
            struct Result: Decodable { var series: [Series]? }
            struct Series: Decodable { var values: [[Cell]] }
            enum Cell: Decodable {
                case number(Int)
                case other
                init(from decoder: any Decoder) throws {
                    let value = try? decoder.singleValueContainer().decode(Int.self)
                    self = value.map(Cell.number) ?? .other
                }
            }
            var results: [Result]
        }
        let body = try await query(statement, database: database)
        let answer = try JSONDecoder().decode(Answer.self, from: Data(body.readableBytesView))
        for cell in answer.results.first?.series?.first?.values.first ?? [] {
            if case .number(let count) = cell { return count }
        }
        return 0
    }
}
