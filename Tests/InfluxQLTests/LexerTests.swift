// The lexer cuts text where InfluxDB's scanner cuts it. Each case here was checked against a running 1.6.7.

import Testing

import InfluxQL

/// All tokens of a text as `kind` or `kind:content`, without the end.
private func tokens(_ text: String) -> [String] {
    let lexer = Lexer(text)
    var result: [String] = []
    var at = 0
    while true {
        let token = lexer.token(at: at)
        if token.kind == .endOfText { return result }
        switch token.kind {
        case .identifier, .string, .number, .integer, .durationValue, .boundParameter:
            result.append("\(token.kind.symbol):\(lexer.content(of: token))")
        default:
            result.append(token.kind.symbol)
        }
        at = token.end
    }
}

@Test(
    "Text is cut into tokens as InfluxDB cuts it",
    arguments: [
        ("", []),
        (" \t\n\r\r\n ", []),
        ("select SELECT sElEcT", ["SELECT", "SELECT", "SELECT"]),
        ("selects _select select1", ["IDENT:selects", "IDENT:_select", "IDENT:select1"]),
        ("\"select\" \"\" \"a b\"", ["IDENT:select", "IDENT:", "IDENT:a b"]),
        ("\"a\\\"b\\\\c\\nd\\'e\"", ["IDENT:a\"b\\c\nd'e"]),
        ("'a\\'b' 'c\"d'", ["STRING:a'b", "STRING:c\"d"]),
        ("foo\"bar\"", ["IDENT:bar"]),
        ("DROP\"x\"y", ["IDENT:x", "IDENT:y"]),
        ("'a''b'", ["STRING:a", "STRING:b"]),
        ("1 1.5 .5 5. 1.5.5", ["INTEGER:1", "NUMBER:1.5", "NUMBER:.5", "NUMBER:5.", "NUMBER:1.5", "NUMBER:.5"]),
        (
            "1h 1h30m 5µ 5x 1h1 1e5",
            [
                "DURATIONVAL:1h", "DURATIONVAL:1h30m", "DURATIONVAL:5µ", "DURATIONVAL:5x", "DURATIONVAL:1h1",
                "DURATIONVAL:1e5",
            ]
        ),
        ("10.3s", ["NUMBER:10.3", "IDENT:s"]),
        ("$a $\"b c\" $ $a\"d\"", ["BOUNDPARAM:a", "BOUNDPARAM:b c", "BOUNDPARAM:", "BOUNDPARAM:d"]),
        ("= =~ != !~ <> < <= > >= == =>", ["=", "=~", "!=", "!~", "!=", "<", "<=", ">", ">=", "=", "=", "=", ">"]),
        (
            "+ - * / % & | ^ ( ) , ; . : :: :::",
            [
                "+", "-", "*", "/", "%", "&", "|", "^", "(", ")", ",", ";", ".", ":", "::", "::", ":",
            ]
        ),
        ("a.b..c", ["IDENT:a", ".", "IDENT:b", ".", ".", "IDENT:c"]),
        ("a--b\nc", ["IDENT:a", "IDENT:c"]),
        ("a--b\rc", ["IDENT:a", "IDENT:c"]),
        ("a/*b*/c /* * ** / */ d", ["IDENT:a", "IDENT:c", "IDENT:d"]),
        ("a /*/ b */ c", ["IDENT:a", "IDENT:c"]),
        ("- -1", ["-", "-", "INTEGER:1"]),
        ("a /* never ends", ["IDENT:a", "ILLEGAL"]),
        ("a /*/", ["IDENT:a", "ILLEGAL"]),
        ("! ~ # ` @ { é π \u{a0}", Array(repeating: "ILLEGAL", count: 9)),
        ("\u{b}a", ["ILLEGAL", "IDENT:a"]),
        ("'a\nb", ["BADSTRING", "IDENT:b"]),
        ("\"a\rb", ["BADSTRING", "IDENT:b"]),
        ("'a", ["BADSTRING"]),
        ("\"a\\qb\"", ["BADESCAPE", "BADSTRING"]),
        ("'a\\", ["BADESCAPE"]),
    ] as [(String, [String])])
func textIsCutIntoTokens(_ text: String, _ expected: [String]) {
    #expect(tokens(text) == expected)
}

@Test(
    "A regex ends at the first slash without a backslash right before it",
    arguments: [
        ("/a/b", "a"), ("/a\\/b/c", "a/b"), ("/a\\\\/b/", "a\\/b"), ("//", ""), ("/;'\"--/", ";'\"--"),
    ])
func aRegexEndsAtTheFirstBareSlash(_ text: String, _ content: String) {
    let lexer = Lexer(text)
    let token = lexer.regex(at: 0)
    #expect(token.kind == .regex)
    #expect(lexer.pattern(of: token) == content)
}

@Test("A regex that ends at a newline or not at all is bad", arguments: ["/a", "/a\n/", "/a\r/", "/a\\/", "/a\\\n/"])
func aRegexThatDoesNotEndIsBad(_ text: String) {
    #expect(Lexer(text).regex(at: 0).kind == .badRegex)
}

@Test("Offsets count bytes and gaps tell what stood before a token")
func offsetsCountBytes() {
    let lexer = Lexer("'é' /*c*/ b")
    let first = lexer.token(at: 0)
    #expect(first.range == 0..<4)
    #expect(first.gap == .none)
    let second = lexer.token(at: first.end)
    #expect(second.range == 11..<12)
    #expect(second.gap == .comment)
    #expect(lexer.token(at: second.end).kind == .endOfText)
}

@Test("Each byte that is not UTF-8 becomes one replacement character, as in the names that nodes make of it")
func eachWrongByteIsReplaced() {
    let lexer = Lexer(Array("\"a".utf8) + [0xFF, 0xE2, 0x82] + Array("\"".utf8))
    #expect(lexer.content(of: lexer.token(at: 0)) == "a\u{FFFD}\u{FFFD}\u{FFFD}")
}

@Test("Every keyword is found in any case, and nothing else is one")
func everyKeywordIsFound() {
    for keyword in Keyword.allCases {
        for spelling in [
            keyword.rawValue, keyword.rawValue.lowercased(),
            keyword.rawValue.prefix(1) + keyword.rawValue.dropFirst().lowercased(),
        ] {
            #expect(Keyword.named(Array(spelling.utf8)[...]) == keyword)
        }
        #expect(Keyword.named(Array((keyword.rawValue + "X").utf8)[...]) == nil)
        #expect(Keyword.named(Array(keyword.rawValue.dropLast().utf8)[...])?.rawValue != keyword.rawValue)
    }
    #expect(Keyword.named(Array("\u{212A}EY".utf8)[...]) == nil)
}
