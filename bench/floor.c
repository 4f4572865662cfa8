/* The floor: what any server has to pay at least.  floor PORT RATE SIZE [nagle]
 *
 * It accepts WebSocket viewers, and RATE times a second sends one ready frame to each: a plain loop over send(2).
 * Until there is a file "go" in its folder, it does so twice a second.
 * With "nagle" it leaves TCP_NODELAY off: then a small frame goes out when the one before it was acknowledged, in
 * the time of whoever reads.
 *
 * It knows the one key of the load generator, so its handshake is no example.  One that cannot take a frame
 * misses it; one that took half of one gets nothing any more.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PREPARING = 500000, MOST = 65536, EVENTS = 256 };

static const char answer[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static int viewers[MOST], count, size;
static char frame[1 << 20];

static int make_frame(uint64_t due) {
    int head = 2, length;
    frame[0] = (char)0x81;
    if (size < 126) frame[1] = (char)size;
    else frame[1] = 126, frame[2] = (char)(size >> 8), frame[3] = (char)size, head = 4;
    length = head + sprintf(frame + head, "{\"t\":\"@%015llu", (unsigned long long)due);
    memset(frame + length, 'x', head + size - 2 - length);
    memcpy(frame + head + size - 2, "\"}", 2);
    return head + size;
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

/* One frame to each; those that are late too, each with the time when it was due. */
static void broadcast(uint64_t due) {
    int length = make_frame(due);
    for (int i = 0; i < count; i++) {
        ssize_t sent = send(viewers[i], frame, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0 && sent < length) viewers[i--] = viewers[--count];
    }
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    double rate = atof(argv[2]);
    size = atoi(argv[3]);
    if (size < 24 || size > 65535) return 2;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("floor");
        return 1;
    }
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    uint64_t due = now() + PREPARING;
    for (int gone = 0;;) {
        if (rate > 0 && now() >= due) {
            broadcast(due);
            gone = gone || !access("go", F_OK);
            due += gone ? (uint64_t)(1e6 / rate) : PREPARING;
        }
        uint64_t time = now();
        int wait = rate > 0 ? (due > time ? (int)(due - time) / 1000 : 0) : -1;
        int ready = epoll_wait(epoll, events, EVENTS, wait);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            char text[4096];
            if (fd == listener) {
                for (int viewer; (viewer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                    if (argc < 5) setsockopt(viewer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    event.data.fd = viewer;
                    epoll_ctl(epoll, EPOLL_CTL_ADD, viewer, &event);
                }
            } else if (recv(fd, text, sizeof text, 0) <= 0) {
                for (int j = 0; j < count; j++)
                    if (viewers[j] == fd) viewers[j--] = viewers[--count];
                close(fd);
            } else if (!memcmp(text, "GET ", 4) && count < MOST) {
                send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
                viewers[count++] = fd;
            }
        }
    }
}
