// The HTTP client of the command line and the demo: it says at once when nobody answers.
import AsyncHTTPClient

enum PlainHTTP {
    /// Lives as long as the process.
    static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(2)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()
}
