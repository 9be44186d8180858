# clada serve, with the embedded model:   docker build -t clada . && docker run -p 8080:8080 -e CLADA_API_KEY=secret clada
# with another:                           docker run -p 8080:8080 -e CLADA_API_KEY=secret -v "$PWD/models:/models" clada -m /models/model.gguf
# Without a key it refuses to listen beyond loopback; --no-api-key says that this is meant.
FROM node:22-slim AS build
WORKDIR /clada
COPY . .
RUN npm ci --ignore-scripts --no-audit --no-fund && npm run -s build

FROM node:22-slim
COPY --from=build /clada/dist /clada/dist
COPY --from=build /clada/models /clada/models
COPY --from=build /clada/package.json /clada/
USER node
ENV HF_HOME=/tmp/models
EXPOSE 8080
HEALTHCHECK CMD ["node", "-e", "fetch('http://127.0.0.1:8080/health').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/clada/dist/cli.js", "serve", "--host", "0.0.0.0"]
