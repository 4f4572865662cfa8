/* The floor: what any server has to pay at least.  floor PORT RATE SIZE
 *
 * It accepts WebSocket viewers, and RATE times a second sends one ready frame to each: a plain loop over send(2).
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
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 65536, EVENTS = 256 };

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
    int epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = timer;
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t due = now.tv_sec * 1000000000ull + now.tv_nsec, interval = rate > 0 ? (uint64_t)(1e9 / rate) : 0;
    struct itimerspec when = {.it_interval = {interval / 1000000000, interval % 1000000000},
                              .it_value = {(due + interval) / 1000000000, (due + interval) % 1000000000}};
    if (interval) timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            char text[4096];
            if (fd == listener) {
                for (int viewer; (viewer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                    setsockopt(viewer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    event.data.fd = viewer;
                    epoll_ctl(epoll, EPOLL_CTL_ADD, viewer, &event);
                }
            } else if (fd == timer) {
                uint64_t times = 0;
                if (read(timer, &times, sizeof times) != sizeof times) continue;
                while (times--) { /* those that are late too, each with the time when it was due */
                    due += interval;
                    int length = make_frame(due / 1000);
                    for (int j = 0; j < count; j++) {
                        ssize_t sent = send(viewers[j], frame, length, MSG_DONTWAIT | MSG_NOSIGNAL);
                        if (sent > 0 && sent < length) viewers[j--] = viewers[--count];
                    }
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
