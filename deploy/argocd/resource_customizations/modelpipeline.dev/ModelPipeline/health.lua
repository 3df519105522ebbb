-- The health of a ModelPipeline: kstatus' rules, with the message of the condition that decides.
-- ModelPipeline follows kstatus: observedGeneration, Ready, and Reconciling and Stalled only while True.
-- One thing more than kstatus: a model that was promoted and does not serve now is Degraded and not Progressing.
local status = obj.status or {}

if status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "the operator has not looked at this spec yet" }
end

local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end

local function is(kind, value)
  return found[kind] ~= nil and found[kind].status == value
end

if is("Reconciling", "True") then
  return { status = "Progressing", message = found.Reconciling.message }
end
if is("Stalled", "True") then
  return { status = "Degraded", message = found.Stalled.message }
end
if is("Ready", "True") then
  return { status = "Healthy", message = found.Ready.message }
end
if is("Ready", "False") then
  if found.Ready.reason == "ServerUnavailable" then
    return { status = "Degraded", message = found.Ready.message }
  end
  return { status = "Progressing", message = found.Ready.message }
end
return { status = "Progressing", message = "the operator has not said yet whether it is ready" }
