// Parameters are read as a node reads them. The expectations were taken from a running InfluxDB 1.6.7 (Go 1.19).

import TestSupport
import Testing

import Querying

private let urlencoded = "application/x-www-form-urlencoded"
private let multipart = "multipart/form-data; boundary=B"

private func parameters(
    _ url: String, _ method: String = "POST", type: String? = nil, _ body: String = ""
) -> RequestParameters {
    RequestParameters(urlQuery: url, method: method, contentType: type, body: Array(body.utf8))
}

private func part(_ disposition: String, _ content: String, _ headers: String = "") -> String {
    "--B\r\nContent-Disposition: \(disposition)\r\n\(headers)\r\n\(content)\r\n"
}

private func q(_ parameters: RequestParameters) -> String? {
    parameters.statements.map { String(decoding: $0, as: UTF8.self) }
}

@Test(
    "The URL is decoded as Go decodes it",
    arguments: [
        ("q=a", "a"), ("q=a+b%2Bc%3b", "a b+c;"), ("%71=a", "a"), ("q=a&q=b", "a"), ("q=&q=b", nil), ("q=+&q=b", nil),
        ("q", nil), ("", nil), ("&&q=a&", "a"), ("=x&q=a", "a"), ("q=a=b", "a=b"), ("Q=a", nil),
        ("q=a;&q=b", "b"), ("q=a;b=c", nil), ("x=1;q=a", nil), ("q=%zz&q=b", "b"), ("q=a%", nil), ("q=a%4", nil),
        ("%zz=a&q=b", "b"), ("q=%20a%0A", "a"), ("q=%C2%A0%0B%0C%C2%85a+%E3%80%80%E2%80%A8", "a"), ("q=%C3%A9", "é"),
    ] as [(String, String?)])
func theURLIsDecoded(_ url: String, _ expected: String?) {
    #expect(q(parameters(url, "GET")) == expected)
}

@Test(
    "D1 a urlencoded body counts for POST, PUT and PATCH and wins over the URL",
    arguments: [
        ("POST", urlencoded, "body"), ("PUT", urlencoded, "body"), ("PATCH", urlencoded, "body"),
        ("GET", urlencoded, "url"),
        ("DELETE", urlencoded, "url"), ("HEAD", urlencoded, "url"),
        ("POST", "APPLICATION/X-WWW-form-URLencoded ; charset=UTF-8", "body"),
        ("POST", "application/x-www-form-urlencoded; foo", "body"),
        ("POST", "application/x-www-form-urlencoded;", "body"),
        ("POST", "application/x-www-form-urlencoded; a=1; a=1", "body"),
        ("POST", "application/x-www-form-urlencoded; a=1; a=2", "url"),
        ("POST", "application/x-www-form-urlencoded, text/plain", "url"), ("POST", "application/json", "url"),
        ("POST", "text/plain", "url"), ("POST", "", "url"), ("POST", "application/x-www-form-urlencoded/x", "url"),
        ("POST", "multipart/form-data", "url"), ("POST", "multipart/form-data; boundary=B", "url"),
    ])
func aBodyCounts(_ method: String, _ type: String, _ expected: String) {
    #expect(q(parameters("q=url", method, type: type, "q=body")) == expected)
}

@Test("A body without a key leaves the URL's, and each key is looked up on its own")
func eachKeyIsLookedUp() {
    let both = parameters("db=url&epoch=s&q=url", type: urlencoded, "q=body&epoch=ms&rp=")
    #expect(both["db"] == "url")
    #expect(both["epoch"] == "ms")
    #expect(both["rp"] == "")
    #expect(both["none"] == nil)
    #expect(q(parameters("q=url", type: urlencoded, "q=bad%")) == "url")
    #expect(q(parameters("q=url", type: urlencoded, "q=")) == nil)
}

@Test("A urlencoded body of more than 10 MiB is not read")
func aLargeBodyIsNotRead() {
    let fill = String(repeating: "a", count: RequestParameters.maximumFormSize - "q=body&x=".utf8.count)
    #expect(q(parameters("q=url", type: urlencoded, "q=body&x=" + fill)) == "body")
    #expect(q(parameters("q=url", type: urlencoded, "q=body&x=a" + fill)) == "url")
}

@Test(
    "D1 a multipart body counts for every method and comes behind the URL", arguments: ["POST", "GET", "PUT", "DELETE"])
func aMultipartBodyCounts(_ method: String) {
    let body = part("form-data; name=\"q\"", "body") + part("form-data; name=db", "d") + "--B--\r\n"
    let only = parameters("", method, type: multipart, body)
    #expect(q(only) == "body")
    #expect(only["db"] == "d")
    #expect(q(parameters("q=url", method, type: multipart, body)) == "url")
}

@Test("D1 an uploaded file named q holds the statements if q is blank")
func anUploadedFile() {
    let file = part("form-data; name=\"q\"; filename=\"x.iql\"", " SHOW\r\nDATABASES ", "Content-Type: text/plain\r\n")
    #expect(q(parameters("", type: multipart, file + "--B--")) == " SHOW\r\nDATABASES ")
    #expect(q(parameters("q=+", type: multipart, file + "--B--")) == " SHOW\r\nDATABASES ")
    #expect(q(parameters("q=url", type: multipart, file + "--B--")) == "url")
    #expect(q(parameters("", type: multipart, file + part("form-data; name=q", "part") + "--B--")) == "part")
    #expect(parameters("", type: multipart, file + "--B--")["q"] == nil)
}

@Test(
    "A multipart body is cut as Go cuts it",
    arguments: [
        ("xx\r\n" + part("form-data; name=q", "a") + "--B--\r\nepilogue", "a"),
        ("--B\nContent-Disposition: form-data; name=q\n\na\n--B--\n", "a"),
        (part("form-data; name=q", "a\r\n--Bxx\r\nb") + "--B--\r\n", "a\r\n--Bxx\r\nb"),
        (part("form-data; name=q", "a") + "--B  \r\n", "a"), (part("form-data; name=q", "a") + "--B--", "a"),
        (part("form-data; name=q", "a"), nil), (part("form-data; name=q; filename=\"\"", "a") + "--B--\r\n", "a"),
        (part("attachment; name=q", "a") + "--B--\r\n", nil), (part("form-data", "a") + "--B--\r\n", nil),
        (part("FORM-DATA; NAME=q", "a") + "--B--\r\n", "a"), (part("form-data; name=\"\\q\"", "a") + "--B--\r\n", nil),
        (part("form-data; name=q", "a") + part("form-data; name=q", "b") + "--B--\r\n", "a"),
        (part("form-data; name=q", "=51", "Content-Transfer-Encoding: quoted-printable\r\n") + "--B--\r\n", nil),
        ("", nil), ("--B", nil), ("--B--", nil), ("--B\r\n\r\n\r\n--B--", nil),
    ] as [(String, String?)])
func aMultipartBodyIsCut(_ body: String, _ expected: String?) {
    #expect(q(parameters("", type: multipart, body)) == expected)
}

@Test("Credentials and pretty count in the URL only")
func credentialsCountInTheURLOnly() {
    let both = parameters("u=a&p=b&pretty=true", type: urlencoded, "u=c&p=d&pretty=false")
    #expect(both.username == "a")
    #expect(both.password == "b")
    #expect(both.isPretty)
    let body = parameters("", type: urlencoded, "u=c&p=d&pretty=true")
    #expect(body.username == nil)
    #expect(body.password == nil)
    #expect(!body.isPretty)
}

@Test("D1 the form sent to a node says what was understood, and nothing twice")
func theFormSaysWhatWasUnderstood() {
    func form(_ parameters: RequestParameters, replacing: [String: [UInt8]?] = [:]) -> String {
        String(decoding: parameters.encodedForm(replacing: replacing), as: UTF8.self)
    }
    #expect(
        form(
            parameters(
                "q=a&q=b&db=d&u=x&p=y&pretty=true&bad;=1", type: urlencoded, "q=+SELECT+%27%26%3B%27+&epoch=ms&db="))
            == "q=SELECT+%27%26%3B%27&epoch=ms&db=")
    #expect(
        form(parameters("q=a&db=d&chunked=true"), replacing: ["q": Array("b".utf8), "db": nil]) == "q=b&chunked=true")
    #expect(form(parameters("db=d"), replacing: ["rp": Array("r p".utf8)]) == "rp=r+p&db=d")
    let file = part("form-data; name=q; filename=f", "DROP DATABASE x") + "--B--"
    #expect(form(parameters("q=", type: multipart, file)) == "q=DROP+DATABASE+x")
    #expect(form(parameters("q=%FF%00%C3%A9~-_.")) == "q=%FF%00%C3%A9~-_.")
    #expect(form(parameters("")) == "")
    // Reading the form again gives the same.
    for text in ["a b", "a+b", "a&b=c;d%", "é\u{0}\n"] {
        var encoded: [UInt8] = []
        PercentEncoding.append(Array(text.utf8), to: &encoded)
        let again = RequestParameters(
            urlQuery: "", method: "POST", contentType: urlencoded, body: Array("x=".utf8) + encoded)
        #expect(again["x"] == text)
    }
}

@Test("Line noise as a body is read without complaint")
func lineNoiseIsRead() {
    var random = SystemRandomNumberGenerator()
    let alphabet = Array("--B\r\n;:=\"\\%&+ Content-Disposition: form-data; name=q".utf8)
    for _ in 0..<2_000 {
        let body = (0..<Int.random(in: 0..<200, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0
        }
        for type in [multipart, urlencoded, String(decoding: body, as: UTF8.self)] {
            let read = RequestParameters(urlQuery: body, method: "POST", contentType: type, body: body)
            _ = (read.statements, read.encodedForm())
        }
    }
}

@Test("D1 a real node finds the same statements in each request", .timeLimit(.minutes(1)))
func aRealNodeFindsTheSame() async throws {
    let node = try await InfluxNode.started("parameters")
    let body = part("form-data; name=\"q\"", "BODY") + "--B--\r\n"
    let file = part("form-data; name=q; filename=f", "FILE") + "--B--\r\n"
    let requests: [(Method, String, String?, String)] = [
        (.get, "q=URL", nil, ""), (.get, "q=&q=URL", nil, ""), (.get, "q=URL;&q=X", nil, ""),
        (.get, "q=%zz&q=X", nil, ""),
        (.get, "q=A%2Bb", nil, ""), (.get, "%71=X", nil, ""), (.get, "q=%C2%A0X", nil, ""), (.get, "", nil, ""),
        (.post, "q=URL", urlencoded, "q=BODY"), (.post, "q=URL", urlencoded, "q="),
        (.post, "q=URL", urlencoded, "q=BODY%"),
        (.post, "q=URL", urlencoded, "q=A;&q=B"), (.get, "q=URL", urlencoded, "q=BODY"),
        (.post, "q=URL", "Application/X-www-form-urlencoded; a", "q=BODY"),
        (.post, "q=URL", "\(urlencoded); a=1; a=2", "q=BODY"),
        (.post, "q=URL", "\(urlencoded),x", "q=BODY"), (.post, "q=URL", "application/json", "q=BODY"),
        (.post, "q=URL", multipart, body), (.post, "", multipart, body), (.get, "", multipart, body),
        (.post, "", multipart, file),
        (.post, "q=URL", multipart, file), (.post, "q=+", multipart, file), (.post, "", multipart, "x\r\n" + body),
        (.post, "", multipart, part("form-data; name=q", "NOEND")),
        (.post, "", multipart, part("attachment; name=q", "A") + "--B--"),
        (.post, "", multipart, "--B\nContent-Disposition: form-data; name=q\n\nLF\n--B--\n"),
        (.post, "", "multipart/mixed; boundary=B", body), (.post, "", "multipart/form-data", body),
    ]
    for (method, url, type, body) in requests {
        let reply = try await node.client.sendRaw(
            method, "/query?" + url, headers: type.map { [("Content-Type", $0)] } ?? [], body: Array(body.utf8))
        let read = RequestParameters(
            urlQuery: url, method: method.rawValue, contentType: type, body: Array(body.utf8))
        if let statements = q(read) {
            let word = statements.prefix { $0.isLetter }
            #expect(
                reply.error?.hasPrefix("error parsing query: found \(word), expected SELECT") == true,
                "\(url) \(body): \(reply)")
        } else {
            #expect(reply.error == "missing required parameter \"q\"", "\(url) \(body): \(reply)")
        }
    }
    try await node.kill()
}
