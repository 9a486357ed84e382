import Cluster
import LineProtocol
import Querying
import Testing

import Gateway

@Suite("Where a write goes")
struct WriteTargetTests {
    private func target(_ query: String, isV2: Bool = false) -> Result<WriteTarget, WriteTarget.Problem> {
        let parameters = RequestParameters(urlQuery: query, method: "POST", contentType: nil, body: [])
        do throws(WriteTarget.Problem) {
            return .success(isV2 ? try WriteTarget(v2: parameters) : try WriteTarget(v1: parameters))
        } catch {
            return .failure(error)
        }
    }

    private func description(_ result: Result<WriteTarget, WriteTarget.Problem>) -> String {
        switch result {
        case .success(let target): "\(target.database)|\(target.retentionPolicy)|\(target.precision.parameter)"
        case .failure(let problem): "\(problem.status) \(problem.message)"
        }
    }

    @Test(
        "S5 S6 database, policy and precision come from the URL",
        arguments: [
            ("db=a", "a||n"),
            ("db=a%20b&rp=p&precision=s", "a b|p|s"),
            ("db=a&precision=ns", "a||n"),
            ("db=a&precision=u", "a||u"),
            ("", "400 database is required"),
            ("db=", "400 database is required"),
            ("db=a&precision=bogus", "400 invalid precision \"bogus\" (use n, u, ms, s, m or h)"),
        ]
    )
    func v1(query: String, expected: String) { #expect(description(target(query)) == expected) }

    @Test(
        "the second version's bucket is database and policy",
        arguments: [
            ("bucket=a/p&precision=ms&org=x", "a|p|ms"),
            ("bucket=a", "a||n"),
            ("bucket=a/", "a||n"),
            ("bucket=/p", "404 bucket name \"/p\" is in db/rp form but has an empty database"),
            ("bucket=", "404 bucket name \"\" is missing a slash; not in \"database/retention-policy\" format"),
            ("bucket=a/p&precision=h", "400 invalid precision \"h\" (use ns, us, ms or s)"),
        ]
    )
    func v2(query: String, expected: String) { #expect(description(target(query, isV2: true)) == expected) }

    @Test("consistency is checked, and raises the level")
    func consistency() throws {
        let all = try target("db=a&consistency=ALL").get()
        #expect(try all.level(.raise, configured: .insync) == .all)
        let wrong = try target("db=a&consistency=most").get()
        #expect(throws: WriteTarget.Problem(status: 400, message: "invalid consistency level")) {
            try wrong.level(.raise, configured: .insync)
        }
    }
}
