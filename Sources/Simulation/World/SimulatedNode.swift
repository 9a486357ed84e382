// A node of the simulation: the model of an InfluxDB behind simulated connections, with a scheduler that decides when
// each step of a request happens, and with all that goes wrong on real ones.

import NIOCore
import SimulatedInfluxDB

/// Sendable as ``Scheduler`` is.
package final class SimulatedNode: ConnectionPeer, @unchecked Sendable {
    /// What a node does beside its duty, in percent of its requests.
    package struct Temper: Equatable {
        package var serviceTime: ClosedRange<Int64> = 100 * microsecond...2 * millisecond
        /// Answers a status of its own and does nothing.
        package var refuses = 0
        package var refusalStatuses = [500, 503, 429]
        /// Answers 500 `timeout` to a write, and carries it out later.
        package var timesOut = 0
        /// Closes the connection when a request has come, and carries it out, sometimes much later.
        package var breaksConnections = 0
        /// Steps of a write, and a write whose client is gone, may take this much longer.
        package var lateness: Int64 = 2 * second

        package init() {}
    }

    /// One client's connection, with what came and was not answered yet.
    fileprivate final class Conversation {
        let connection: SimulatedConnection
        var reader = MessageReader()
        var isBusy = false

        init(_ connection: SimulatedConnection) { self.connection = connection }
    }

    package let name: String
    package let link: Link
    package var server: InfluxServer
    package var temper = Temper()
    /// Its clock minus the world's.
    package var clockOffset: Int64 = 0
    package private(set) var isRunning = true
    package private(set) var requests = 0
    /// Called with each request that has arrived, before it is begun.
    package var onRequest: ((SimulatedRequest) -> Void)?
    package var onAnswer: ((SimulatedAnswer) -> Void)?
    /// Called after each step that was carried out.
    package var onChange: (() -> Void)?
    private let scheduler: Scheduler
    private let processID: Int64
    private var isStopped = false
    private var held: [() -> Void] = []
    /// New with each start of its process: what an older one began is lost.
    private var life = 0
    private var conversations: [ObjectIdentifier: Conversation] = [:]

    package init(name: String, scheduler: Scheduler, settings: InfluxServer.Settings) {
        self.name = name
        self.scheduler = scheduler
        link = Link(scheduler: scheduler)
        server = InfluxServer(settings: settings)
        processID = settings.processID
        startServer()
    }

    /// No two processes were started in the same nanosecond.
    private func startServer() { server.start(now: wall - processID) }

    private var wall: Int64 { SimulatedClock.wall(scheduler.now) + clockOffset }

    // MARK: What happens to it

    /// The process ends; with `isPowerLoss` also what it had not synced.
    package func kill(isPowerLoss: Bool = false) {
        guard isRunning else { return }
        isRunning = false
        life += 1
        server.kill()
        if isPowerLoss { server.losePower(now: wall) }
        held = []
        isStopped = false
        conversations = [:]
        link.peerDied()
    }

    package func start() {
        guard !isRunning else { return }
        isRunning = true
        startServer()
    }

    /// Another data folder under the same address, as after a restored backup; nil: an empty one. The process must not run.
    package func replaceDisk(with disk: InfluxDisk?) {
        server.replaceDisk(disk ?? InfluxDisk())
    }

    package func stop() { isStopped = true }

    package func goOn() {
        isStopped = false
        let due = held
        held = []
        for body in due { body() }
    }

    /// Runs it in the process of now, when that runs.
    private func inProcess(after delay: Int64, _ body: @escaping () -> Void) {
        let life = life
        scheduler.after(delay) { [weak self] in
            guard let self, self.life == life else { return }
            if isStopped {
                held.append { [weak self] in if self?.life == life { body() } }
            } else {
                body()
            }
        }
    }

    // MARK: Connections

    func accepted(_ connection: SimulatedConnection) {
        conversations[ObjectIdentifier(connection)] = Conversation(connection)
    }

    package func closed(_ connection: SimulatedConnection) {
        // A write goes on without its client; a query is killed, if it has not begun.
        conversations[ObjectIdentifier(connection)] = nil
    }

    package func received(_ bytes: ByteBuffer, on connection: SimulatedConnection) {
        guard isRunning, let conversation = conversations[ObjectIdentifier(connection)] else { return }
        inProcess(after: 0) { [self] in
            conversation.reader.append(bytes)
            next(conversation)
        }
    }

    private func next(_ conversation: Conversation) {
        guard !conversation.isBusy, let message = conversation.reader.next(),
            let request = SimulatedRequest(message)
        else { return }
        conversation.isBusy = true
        requests += 1
        onRequest?(request)
        handle(request, conversation)
    }

    private func answer(_ conversation: Conversation, _ answer: SimulatedAnswer) {
        onAnswer?(answer)
        if conversation.connection.isOpenForPeer { conversation.connection.peerSends(answer.bytes) }
        ended(conversation)
    }

    private func ended(_ conversation: Conversation) {
        conversation.isBusy = false
        next(conversation)
    }

    // MARK: Requests

    private func handle(_ request: SimulatedRequest, _ conversation: Conversation) {
        let isPing = request.path == "/ping"
        var service = scheduler.random.time(temper.serviceTime)
        if !isPing, scheduler.random.chance(temper.refuses) {
            let status = scheduler.random.pick(temper.refusalStatuses)
            return inProcess(after: service) { [self] in
                answer(conversation, .error(status, "some trouble of its own", version: server.settings.version))
            }
        }
        let work = server.begin(
            InfluxRequest(
                method: request.method, path: request.path, parameters: request.parameters, body: request.body),
            now: wall)
        let isWrite = request.path == "/write"
        var isAnswered = false
        if isWrite, scheduler.random.chance(temper.timesOut) {
            isAnswered = true
            inProcess(after: service) { [self] in
                answer(conversation, .error(500, "timeout", version: server.settings.version))
            }
            service += scheduler.random.time(millisecond...temper.lateness)
        } else if !isPing, scheduler.random.chance(temper.breaksConnections) {
            isAnswered = true
            conversation.connection.peerCloses(isReset: scheduler.random.chance(50))
            conversations[ObjectIdentifier(conversation.connection)] = nil
            service += scheduler.random.time(millisecond...temper.lateness)
        }
        let task = Task(work, conversation)
        task.isMute = isAnswered
        goOn(task, after: service)
    }

    /// Plans what can be done next of a request, and tells its client what is known by now.
    private func goOn(_ task: Task, after delay: Int64) {
        speak(task, after: task.work.isOver && task.planned.isEmpty ? delay : 0)
        for (index, step) in task.work.steps.enumerated() where !task.planned.contains(step.number) {
            guard step.isConcurrent || index == 0 else { break }
            task.planned.insert(step.number)
            inProcess(after: delay + scheduler.random.time(microsecond...temper.serviceTime.upperBound)) { [self] in
                server.carryOut(step, of: &task.work, now: wall)
                onChange?()
                goOn(task, after: microsecond)
            }
        }
    }

    private func speak(_ task: Task, after delay: Int64) {
        guard !task.isMute else { return }
        if let ready = task.work.answer {
            task.isMute = true
            inProcess(after: delay) { [self] in
                let connection = task.conversation.connection
                guard task.hasSpoken else { return answer(task.conversation, SimulatedAnswer(ready)) }
                if connection.isOpenForPeer { connection.peerSends(SimulatedAnswer.lastChunk(ready.body)) }
                ended(task.conversation)
            }
        } else if let head = task.work.head, !task.hasSpoken {
            task.hasSpoken = true
            let connection = task.conversation.connection
            if connection.isOpenForPeer { connection.peerSends(SimulatedAnswer(head).chunkedHead) }
        }
    }
}

/// A request under way.
private final class Task {
    var work: InfluxWork
    let conversation: SimulatedNode.Conversation
    var planned: Set<Int> = []
    /// Nothing more will be said of it.
    var isMute = false
    /// The head is out.
    var hasSpoken = false

    init(_ work: InfluxWork, _ conversation: SimulatedNode.Conversation) {
        self.work = work
        self.conversation = conversation
    }
}

extension SimulatedAnswer {
    init(_ answer: InfluxAnswer) {
        self.init(status: answer.status, headers: answer.headers, body: answer.body)
    }

    static func error(_ status: Int, _ words: String, version: String) -> SimulatedAnswer {
        SimulatedAnswer(
            status: status,
            headers: [
                ("Content-Type", "application/json"), ("X-Influxdb-Version", version), ("X-Influxdb-Error", words),
            ],
            body: Array("{\"error\":\"\(words)\"}\n".utf8))
    }
}
