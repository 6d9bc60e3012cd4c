// The API's endpoints; the practice stand-in answers them with the same SQL.
interface Env {
  DB: D1Database;
}

const USER_OF_TOKEN = "SELECT user_id FROM sessions WHERE token = ?1";
const USER_WITH_TEAM = `
  SELECT u.id, u.email, u.name, t.name AS team, m.role
  FROM users u
  JOIN team_members m ON m.user_id = u.id
  JOIN teams t ON t.id = m.team_id
  WHERE u.id = ?1
  ORDER BY m.joined_at LIMIT 1`;
const LAST_RUN = `
  SELECT r.old_name AS last_run
  FROM workflow_runs r
  JOIN workflows w ON w.id = r.workflow_id
  WHERE w.owner_id = ?1
  ORDER BY r.started_at DESC LIMIT 1`;

async function me(request: Request, env: Env): Promise<Response> {
  const token = request.headers.get("Authorization")?.replace(/^Bearer /, "") ?? "";
  const session = await env.DB.prepare(USER_OF_TOKEN).bind(token).first<{ user_id: string }>();
  if (!session) return Response.json({ error: "unknown token" }, { status: 401 });
  const user = await env.DB.prepare(USER_WITH_TEAM).bind(session.user_id).first();
  if (!user) return Response.json({ error: "user without a team" }, { status: 500 });
  const run = await env.DB.prepare(LAST_RUN).bind(session.user_id).first();
  return Response.json({ ...user, last_run: run?.last_run ?? null });
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    try {
      switch (new URL(request.url).pathname) {
        case "/health":
          await env.DB.prepare("SELECT id FROM users LIMIT 1").first();
          return Response.json({ ok: true });
        case "/users/me":
          return await me(request, env);
        default:
          return Response.json({ error: "not found" }, { status: 404 });
      }
    } catch (error) {
      return Response.json({ error: String(error) }, { status: 500 });
    }
  },
};
