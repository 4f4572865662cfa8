// Socket.IO's own server for Node, as its documentation broadcasts: io.emit().
"use strict";
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { PORT, value, schedule } = require("./messages.js");

const server = createServer();
const io = new Server(server);
schedule((due) => io.emit("t", { t: value(due) }));
server.listen({ host: "127.0.0.1", port: PORT, backlog: 4096 });
