// Ends this process, whatever its script does, when the process that started it is gone.

import { Socket } from "node:net";
import { workerData } from "node:worker_threads";

const life = new Socket({ fd: workerData });
life.on("close", () => process.kill(process.pid, "SIGKILL"));
life.on("error", () => {});
life.resume();
