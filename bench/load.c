/* The load: thousands of WebSocket viewers, or HTTP publishers, in one thread on one epoll.
 *
 *   load view    --port P [--viewers N] [--path /] [--groups G] [--protocol streamd.v1] [--header "A: b"]
 *                [--socketio] [--events] [--window W] [--stalled K] [--sample S]
 *   load publish --port P [--viewers N] [--path /] [--method POST] [--rate R] [--size B] [--batch M]
 *
 * view: N viewers; W handshakes at a time, 0: all at once.  "#" in the path is the viewer's number modulo G.
 * With --events they are event streams: a message is an update then.
 * publish: N keep-alive connections, one request at a time on each: R a second in all, 0: as many as can be.
 * A body has B bytes; with a batch of M it is an object of M members.
 *
 * When all are connected, or 40 s are over, it prints a line of JSON.  "mark" on stdin begins to count, "report" prints what was
 * counted since, as JSON; the end of stdin ends it.
 *
 * Only the sample is read as soon as something comes: all others every DRAIN microseconds, as much as is there.
 * That is cheap, and who is waited for elsewhere does not wake anybody here when a server sends, either.
 *
 * A stamp is "@" and 15 digits: microseconds of CLOCK_MONOTONIC at which the message was due.  Stamps are
 * counted in every message (those are the updates); only of the sample, evenly spread, are they read.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { DRAIN = 50000, PATIENCE = 40000000, DIGITS = 15, BUCKET = 50, BUCKETS = 400000, EVENTS = 256, HEAD = 2048 };

typedef struct {
    enum { WAITING, CONNECTING, ASKED, GREETED, OPEN, GONE } state; /* GREETED: Socket.IO is to open */
    int fd, sampled, stalled;
    uint64_t began, left; /* left: bytes of the frame's payload that are to come */
    uint64_t stamp;
    int digit;                      /* of the stamp that is being read; 0: none is */
    unsigned char head[14], opcode; /* the frame's head, as far as it came */
    int headed, fresh;              /* fresh: no byte of the payload was seen */
    char *text;                     /* what came of an HTTP answer; only until it is whole */
    int length;
} Peer;

static int port = 0, count = 1, groups = 1, socketio = 0, events_only = 0, window = 64, stalled = 0, sample = 20;
static int publishing = 0, size = 40, batch = 0, room = 64 * 1024; /* room: for an answer */
static double rate = 0;
static const char *path = "/", *protocol = NULL, *method = "POST", *header = NULL;

static Peer *peers;
static int epoll, leisurely, begun = 0, under_way = 0, opened = 0, failed = 0, lost = 0;
static uint32_t delays[BUCKETS + 1], connects[BUCKETS + 1];
static uint64_t started, all_there, mark, delay_max, connect_max;
static uint64_t messages, updates, bytes, pings, refused;
static double mark_cpu;
static char buffer[256 * 1024], body[1 << 20], request[1 << 20];

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

static double cpu(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void note(uint32_t *histogram, uint64_t *max, uint64_t us) {
    histogram[us / BUCKET < BUCKETS ? us / BUCKET : BUCKETS]++;
    if (us > *max) *max = us;
}

/* Milliseconds that so many percent do not exceed; null without any. */
static const char *percentile(const uint32_t *histogram, double percent) {
    static char texts[8][32];
    static int turn = 0;
    char *text = texts[turn++ % 8];
    uint64_t total = 0, seen = 0;
    for (int i = 0; i <= BUCKETS; i++) total += histogram[i];
    if (!total) return "null";
    for (int i = 0; i <= BUCKETS; i++) {
        seen += histogram[i];
        if (seen >= total * percent / 100) {
            snprintf(text, 32, "%.2f", (i + 1) * BUCKET / 1000.0);
            break;
        }
    }
    return text;
}

static void watch(int epoll, Peer *peer, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = peer};
    epoll_ctl(epoll, operation, peer->fd, &event);
}

static void end(Peer *peer) {
    if (peer->state == OPEN) lost++;
    else failed++, under_way--;
    peer->state = GONE;
    close(peer->fd);
    free(peer->text);
    peer->text = NULL;
}

static void say(Peer *peer, const void *data, size_t length) {
    if (send(peer->fd, data, length, MSG_NOSIGNAL) != (ssize_t)length) end(peer);
}

/* A frame with a mask of zeros, which leaves the payload as it is. */
static void say_frame(Peer *peer, int opcode, const void *payload, size_t length) {
    unsigned char frame[132] = {0x80 | opcode, 0x80 | length};
    memcpy(frame + 6, payload, length);
    say(peer, frame, 6 + length);
}

static void begin(Peer *peer) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, small = 2048, segment = 1400;
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (peer->fd < 0) { perror("socket"); exit(1); }
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (peer->stalled) { /* segments as elsewhere: the loopback's of 64 KiB give its sender megabytes of buffer */
        setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        setsockopt(peer->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    }
    peer->began = now();
    peer->state = CONNECTING;
    under_way++;
    connect(peer->fd, (struct sockaddr *)&address, sizeof address);
    watch(epoll, peer, EPOLL_CTL_ADD, EPOLLOUT);
}

static void report_ready(void) {
    all_there = now();
    printf("{\"connected\": %d, \"failed\": %d, \"seconds\": %.3f, \"connect_p50\": %s, \"connect_p99\": %s, "
           "\"connect_max\": %.2f, \"cpu\": %.4f}\n", opened, failed, (all_there - started) / 1e6,
           percentile(connects, 50), percentile(connects, 99), connect_max / 1000.0, cpu());
    fflush(stdout);
}

static void connect_more(void) {
    while (begun < count && (!window || under_way < window)) begin(&peers[begun++]);
    if (opened + failed == count) report_ready();
}

static void open_peer(Peer *peer) {
    peer->state = OPEN;
    opened++, under_way--;
    note(connects, &connect_max, now() - peer->began);
    if (peer->sampled || publishing) return;
    epoll_ctl(epoll, EPOLL_CTL_DEL, peer->fd, NULL);
    if (!peer->stalled) watch(leisurely, peer, EPOLL_CTL_ADD, EPOLLIN);
}

static void ask(Peer *peer) {
    char text[HEAD], where[512] = "";
    const char *hash = strchr(path, '#');
    if (hash) snprintf(where, sizeof where, "%.*s%d%s", (int)(hash - path), path, (int)(peer - peers) % groups, hash + 1);
    int length = snprintf(text, sizeof text,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s%s%s%s%s\r\n", hash ? where : path, port,
        events_only ? "" : "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", protocol ? "Sec-WebSocket-Protocol: " : "", protocol ? protocol : "",
        protocol ? "\r\n" : "", header ? header : "", header ? "\r\n" : "");
    peer->state = ASKED;
    watch(epoll, peer, EPOLL_CTL_MOD, EPOLLIN);
    say(peer, text, length);
}

static void read_stamps(Peer *peer, const char *data, size_t length) {
    for (const char *stop = data + length; data < stop;) {
        if (!peer->digit) {
            data = memchr(data, '@', stop - data);
            if (!data) return;
            data++, peer->digit = 1, peer->stamp = 0;
        }
        while (data < stop && peer->digit && peer->digit <= DIGITS) {
            peer->stamp = peer->stamp * 10 + (*data++ - '0');
            peer->digit++;
        }
        if (peer->digit > DIGITS) {
            uint64_t time = now();
            note(delays, &delay_max, time > peer->stamp ? time - peer->stamp : 0);
            peer->digit = 0;
        }
    }
}

static uint64_t count_stamps(const char *data, size_t length) {
    uint64_t found = 0;
    const char *stop = data + length;
    while ((data = memchr(data, '@', stop - data))) found++, data++;
    return found;
}

/* Engine.IO 4 and Socket.IO 5, as far as a viewer needs them: a packet's first byte is its type. */
static void take_packet(Peer *peer, int type) {
    if (type == '0') say_frame(peer, 1, "40", 2);
    else if (type == '2') say_frame(peer, 1, "3", 1), pings++;
    else if (peer->state == GREETED) open_peer(peer);
}

static void take_payload(Peer *peer, const char *data, size_t length) {
    bytes += length;
    if (peer->opcode == 9 && peer->fresh) pings++, say_frame(peer, 10, data, length);
    if (peer->opcode >= 8) return;
    if (socketio && peer->fresh && (*data != '4' || peer->state != OPEN)) {
        take_packet(peer, *data);
        peer->opcode = 8; /* what is left of it is no message */
        return;
    }
    peer->fresh = 0;
    if (length == peer->left && peer->head[0] & 0x80) messages++;
    updates += count_stamps(data, length);
    if (peer->sampled) read_stamps(peer, data, length);
}

static void take_events(Peer *peer, const char *data, size_t length) {
    uint64_t found = count_stamps(data, length);
    bytes += length, messages += found, updates += found;
    if (peer->sampled) read_stamps(peer, data, length);
}

static void take_frames(Peer *peer, const char *data, size_t length) {
    while (length && peer->state != GONE) {
        if (peer->left) {
            size_t part = peer->left < length ? peer->left : length;
            take_payload(peer, data, part);
            peer->left -= part;
            data += part, length -= part;
            continue;
        }
        peer->head[peer->headed++] = *data++, length--;
        int size = peer->headed < 2 ? 2 : peer->head[1] < 126 ? 2 : peer->head[1] == 126 ? 4 : 10;
        if (peer->headed < size) continue;
        peer->opcode = peer->head[0] & 15;
        peer->headed = 0, peer->fresh = 1;
        if (size == 2) peer->left = peer->head[1];
        else for (int i = 2; i < size; i++) peer->left = peer->left << 8 | peer->head[i];
        if (!peer->left && peer->opcode == 9) pings++, say_frame(peer, 10, "", 0);
        if (peer->opcode == 8) end(peer);
    }
}

/* Collects an answer's head; its end, once that is there. */
static char *take_head(Peer *peer, const char *data, size_t length) {
    if (!peer->text) peer->text = malloc(room), peer->length = 0;
    if (length > (size_t)(room - 1 - peer->length)) length = room - 1 - peer->length;
    memcpy(peer->text + peer->length, data, length);
    peer->length += length;
    peer->text[peer->length] = 0;
    return strstr(peer->text, "\r\n\r\n");
}

static void take_handshake(Peer *peer, const char *data, size_t length) {
    char *stop = take_head(peer, data, length);
    if (!stop) return;
    if (strncmp(peer->text, events_only ? "HTTP/1.1 200" : "HTTP/1.1 101", 12)) {
        if (!failed) fprintf(stderr, "load: %.*s\n", (int)strcspn(peer->text, "\r\n"), peer->text);
        end(peer);
        return;
    }
    char *text = peer->text;
    int rest = peer->length - (stop + 4 - text);
    peer->text = NULL;
    if (socketio) peer->state = GREETED;
    else open_peer(peer);
    if (rest && !events_only && !(peer->stalled && peer->state == OPEN)) take_frames(peer, stop + 4, rest);
    free(text);
}

static size_t make_body(uint64_t due) {
    if (!batch) {
        int length = snprintf(body, sizeof body, "{\"t\":\"@%015llu", (unsigned long long)due);
        while (length < size - 2) body[length++] = 'x';
        return length + sprintf(body + length, "\"}");
    }
    size_t length = 0;
    for (int i = 0; i < batch; i++)
        length += sprintf(body + length, "%c\"b.%d\":%llu", i ? ',' : '{', i, (unsigned long long)(due + i) % 100000);
    return length + sprintf(body + length, "}");
}

static uint64_t interval, next_due;

static void publish(Peer *peer) {
    uint64_t due = interval ? next_due : now();
    size_t length = make_body(due);
    int head = snprintf(request, HEAD, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n", method, path, port, length);
    memcpy(request + head, body, length);
    peer->began = due, peer->left = 1; /* left: an answer is awaited */
    say(peer, request, head + length);
}

static void take_answer(Peer *peer, const char *data, size_t length) {
    char *stop = take_head(peer, data, length);
    if (!stop) return;
    char *field = strcasestr(peer->text, "\r\nContent-Length:");
    int total = stop + 4 - peer->text + (field && field < stop ? atoi(field + 17) : 0);
    if (total >= room) fprintf(stderr, "load: an answer of %d bytes\n", total), exit(1);
    if (peer->length < total) return;
    if (peer->text[9] == '2') messages++, updates += batch ? batch : 1;
    else if (!refused++) fprintf(stderr, "load: %.300s\n", peer->text);
    peer->length = 0, peer->left = 0;
    note(delays, &delay_max, now() - peer->began);
    if (!interval) publish(peer);
}

static void receive(Peer *peer) {
    ssize_t length = recv(peer->fd, buffer, sizeof buffer, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) end(peer);
    else if (publishing) take_answer(peer, buffer, length);
    else if (peer->state == ASKED) take_handshake(peer, buffer, length);
    else if (events_only) take_events(peer, buffer, length);
    else take_frames(peer, buffer, length);
}

static void turn(Peer *peer) {
    if (peer->state == CONNECTING) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        if (error) end(peer);
        else if (!publishing) ask(peer);
        else watch(epoll, peer, EPOLL_CTL_MOD, EPOLLIN), open_peer(peer);
    } else if (peer->state != GONE) receive(peer);
    if (!all_there) connect_more();
}

static void begin_to_count(void) {
    memset(delays, 0, sizeof delays);
    messages = updates = bytes = pings = refused = delay_max = 0;
    mark = next_due = now(), mark_cpu = cpu();
    if (publishing && !interval) for (int i = 0; i < count; i++) publish(&peers[i]);
}

static void report(void) {
    double seconds = (now() - mark) / 1e6, used = cpu() - mark_cpu;
    printf("{\"messages\": %llu, \"updates\": %llu, \"bytes\": %llu, \"pings\": %llu, \"refused\": %llu, "
           "\"lost\": %d, \"seconds\": %.4f, \"p50\": %s, \"p99\": %s, \"max\": %.2f, \"cpu\": %.4f, "
           "\"busy\": %.3f}\n", (unsigned long long)messages, (unsigned long long)updates,
           (unsigned long long)bytes, (unsigned long long)pings, (unsigned long long)refused, lost, seconds,
           percentile(delays, 50), percentile(delays, 99), delay_max / 1000.0, used, used / seconds);
    fflush(stdout);
}

/* Lines that came, whole ones: nobody writes half of one. */
static void command(void) {
    char lines[256];
    ssize_t length = read(0, lines, sizeof lines - 1);
    if (length <= 0) exit(0);
    lines[length] = 0;
    for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n")) {
        if (!strcmp(line, "mark")) begin_to_count();
        else report();
    }
}

/* Publishes what is due; milliseconds until the next is, -1 for never. */
static int publish_due(void) {
    if (!publishing || !interval || !mark) return -1;
    for (uint64_t time = now(); next_due <= time; next_due += interval) {
        int free_peer = 0;
        while (free_peer < count && (peers[free_peer].left || peers[free_peer].state != OPEN)) free_peer++;
        if (free_peer == count) return -1; /* the next answer brings us back */
        publish(&peers[free_peer]);
    }
    uint64_t time = now();
    return next_due > time ? (int)((next_due - time + 999) / 1000) : 0;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"port", 1, 0, 'p'}, {"viewers", 1, 0, 'n'}, {"path", 1, 0, 'u'}, {"groups", 1, 0, 'g'},
        {"protocol", 1, 0, 's'}, {"header", 1, 0, 'h'}, {"socketio", 0, 0, 'i'}, {"events", 0, 0, 'e'}, {"window", 1, 0, 'w'},
        {"stalled", 1, 0, 'k'}, {"sample", 1, 0, 'a'}, {"method", 1, 0, 'm'}, {"rate", 1, 0, 'r'},
        {"size", 1, 0, 'z'}, {"batch", 1, 0, 'b'}, {0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'n': count = atoi(optarg); break;
        case 'u': path = optarg; break;
        case 'g': groups = atoi(optarg); break;
        case 's': protocol = optarg; break;
        case 'h': header = optarg; break;
        case 'i': socketio = 1; break;
        case 'e': events_only = 1; break;
        case 'w': window = atoi(optarg); break;
        case 'k': stalled = atoi(optarg); break;
        case 'a': sample = atoi(optarg); break;
        case 'm': method = optarg; break;
        case 'r': rate = atof(optarg); break;
        case 'z': size = atoi(optarg); break;
        case 'b': batch = atoi(optarg); break;
        default: return 2;
        }
    }
    publishing = optind < argc && !strcmp(argv[optind], "publish");
    if (publishing) room = sizeof body * 4; /* a receipt is longer than what it is for */
    if (!port || count < 1 || groups < 1 || size + HEAD > (int)sizeof request || batch > 40000) return 2;
    interval = rate > 0 ? (uint64_t)(1e6 / rate) : 0;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    peers = calloc(count, sizeof *peers);
    for (int i = 0; i < count; i++) { /* evenly spread: the i for which i * K / N steps up */
        peers[i].stalled = (long)(i + 1) * stalled / count > (long)i * stalled / count;
        peers[i].sampled = !peers[i].stalled && (long)(i + 1) * sample / count > (long)i * sample / count;
    }
    epoll = epoll_create1(EPOLL_CLOEXEC), leisurely = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
    started = now();
    connect_more();
    for (uint64_t drain = 0;;) {
        uint64_t time = now();
        if (!all_there && time > started + PATIENCE) failed = count - opened, report_ready();
        if (time >= drain) {
            int ready = epoll_wait(leisurely, events, EVENTS, 0);
            for (int i = 0; i < ready; i++) turn(events[i].data.ptr);
            if (ready < EVENTS) drain = time + DRAIN;
        }
        int ready = epoll_wait(epoll, events, EVENTS, publishing ? publish_due() : drain > time ? DRAIN / 1000 : 0);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr) turn(events[i].data.ptr);
            else command();
        }
    }
}
