// ws, as its README broadcasts: send() to every client that is open.
"use strict";
const { WebSocket, WebSocketServer } = require("ws");
const { PORT, value, schedule } = require("./messages.js");

const wss = new WebSocketServer({ host: "127.0.0.1", port: PORT, backlog: 4096 });
schedule((due) => {
  const message = `{"t":"${value(due)}"}`;
  wss.clients.forEach((client) => {
    if (client.readyState === WebSocket.OPEN) client.send(message);
  });
});
