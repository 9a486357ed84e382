// nginx, as a proxy that understands nothing, and as a tunnel that adds TLS to what the load sends.

import Foundation
import Glibc
import TestSupport

struct NginxProcess {
    let port: Int
    let process: ChildProcess

    /// Every request to the first sink, a copy to the second.
    static func mirror(to sinks: [Int], _ folder: URL) async throws -> NginxProcess {
        try await start(folder) { port in
            """
            http {
                access_log off;
                client_body_temp_path \(folder.path)/bodies;
                proxy_temp_path \(folder.path)/proxy;
                fastcgi_temp_path \(folder.path)/fastcgi;
                uwsgi_temp_path \(folder.path)/uwsgi;
                scgi_temp_path \(folder.path)/scgi;
                upstream a { server 127.0.0.1:\(sinks[0]); keepalive 256; keepalive_requests 1000000000; }
                upstream b { server 127.0.0.1:\(sinks[1]); keepalive 256; keepalive_requests 1000000000; }
                server {
                    listen 127.0.0.1:\(port) backlog=1024;
                    keepalive_requests 1000000000;
                    client_max_body_size 100m;
                    client_body_buffer_size 1m;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    location / { mirror /mirror; proxy_pass http://a; }
                    location = /mirror { internal; proxy_pass http://b$request_uri; }
                }
            }
            """
        }
    }

    /// Connections to it are connections with TLS to `port`.
    static func tunnel(to gateway: Int, _ folder: URL) async throws -> NginxProcess {
        try await start(folder) { port in
            """
            stream {
                server {
                    listen 127.0.0.1:\(port) backlog=1024;
                    proxy_pass 127.0.0.1:\(gateway);
                    proxy_ssl on;
                    tcp_nodelay on;
                }
            }
            """
        }
    }

    private static func start(_ folder: URL, _ sections: (Int) -> String) async throws -> NginxProcess {
        let port = try FreePort.next()
        let module = "/usr/lib/nginx/modules/ngx_stream_module.so"
        let hasModule = FileManager.default.fileExists(atPath: module)
        // One process, so that all its processor time is seen.
        let text = """
            \(hasModule ? "load_module \(module);" : "")
            daemon off;
            master_process off;
            pid \(folder.path)/nginx.pid;
            error_log \(folder.path)/nginx.log warn;
            events { worker_connections 8192; }
            \(sections(port))

            """
        let file = folder.appendingPathComponent("nginx.conf")
        try text.write(to: file, atomically: true, encoding: .utf8)
        let process = try ChildProcess(
            name: "nginx", arguments: ["/usr/sbin/nginx", "-p", folder.path, "-c", file.path], logFolder: folder)
        try await eventually("nginx listens") {
            guard process.isRunning else { throw Violation("nginx ended: \(process.log())") }
            close(try connectSocket(port: port))
            return true
        }
        return NginxProcess(port: port, process: process)
    }
}
