export default function Page() { return <p>clada in Next: /api/node, /api/edge</p>; }
