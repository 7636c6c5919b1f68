import { cronJobs } from "convex/server";
import { ref } from "./server.js";

const crons = cronJobs();
crons.interval("tick", { seconds: 1 }, ref.mutation("jobs:tick") as never);
export default crons;
